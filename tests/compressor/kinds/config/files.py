"""Files of settings that the tests share, and their lines."""

from __future__ import annotations

from tests.compressor.kinds.kit import filled

CHART = """\
# values of the shop's payment service, see the handbook before you change the budget
replicaCount: 3
image:
  repository: registry.example.org/payments
  tag: stable
autoscaling:
  enabled: false
  maxReplicas: 8
features:
  doubleBookingCheck: false
  auditLog: off

# who is called at night
# and how often
alerts:
  - name: gateway absent
    expr: absent(probe{tier="carrier"} == 1)
  - name: slow settlement
    expr: histogram_quantile(0.95, settlement_seconds) > 30
script: |
  # not a remark
  echo one   # nor this
text: "first

  # inside of quotes
  last"
backup:
  retention: 30d
  encrypt: true
"""
SSHD = """\
# /etc/ssh/sshd_config on the gate
Port 22
AddressFamily any
PermitRootLogin no
#PermitTunnel yes
X11Forwarding yes
AllowGroups ops deploy
Compression delayed
MaxStartups 10:30:60
Banner none
# /etc/sysctl.d/90-gate.conf
net.ipv4.ip_forward = 0
kernel.kptr_restrict = 2
# /etc/security/limits.d/ops.conf
ops soft nofile 4096
* soft core 0
"""
INI = """\
; main settings of the reader, nobody has looked at them for a long time now
[reader]
speed = 4
paths =
    /srv/a

    # inside of the value
    /srv/b


# the printer stands in the cellar and is switched off at night by the porter
[printer]
tray = upper
colour: no
"""
NGINX = """\
user  www-data;
worker_processes  4;

http {
    # how long a client may take
    # until we hang up on it
    client_body_timeout 12s;
    server {
        listen 443 ssl;
        location /api { proxy_pass http://app:8000; }
    }
}
"""
HCL = """\
# the network of the shop, drawn up by the old team in the year of the move
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_instance" "web" {
  user_data = <<-EOT
    # not a remark
    echo hello
  EOT
}
"""
DOCKER = """\
# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
# the sources change more often than the packages, so they come later here
COPY requirements.txt .
RUN pip install -r requirements.txt && \\
    # inside of the instruction
    rm -rf /root/.cache
CMD ["python", "-m", "shop"]
"""
ENVIRONMENT = """\
# where the shop listens, and the name by which the world knows it from outside
SHOP_HOST=0.0.0.0
SHOP_NAME="The # Shop"
export SHOP_DEBUG=no
#SHOP_TRACE=yes
"""
FILES = [CHART, SSHD, INI, NGINX, HCL, DOCKER, ENVIRONMENT]


def set_lines(text: str) -> list[str]:
    """The lines that set something: neither blank nor a remark."""
    return [line for line in filled(text) if not line.lstrip().startswith(("#", ";"))]
