"""A proxy without keys and the pages of others: names that lead here, forms and scripts of other sites."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.app import create_app
from moosproxy.proxy.connections.neighbours import Neighbours
from moosproxy.proxy.errors import Forbidden
from moosproxy.proxy.settings import Settings
from tests.proxy.conftest import TEAM_KEYS
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, fresh

PATHS = ["/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/ui", "/ui/app.js", "/ui/data/live",
         "/v1/models", "/nothing"]  # fmt: skip
FOREIGN_HOSTS = ["moos.example", "127.0.0.1.moos.example", "me@127.0.0.1", "localhost:1:2", "0.0.0.0:8686",
                 "10.0.0.1", "[::2]", "[::1", "", "x" * 9000]  # fmt: skip
LINK = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}


@pytest.mark.parametrize("path", PATHS)
async def test_another_name_that_leads_here_is_refused_everywhere(proxy: LiveProxy, path: str) -> None:
    answer = await ask(proxy.port, b"", path, "GET", host="moos.example:8686")

    assert (answer.status, answer.json()["error"]["code"]) == (403, "host_not_allowed")
    assert "MOOS_ALLOWED_HOSTS" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_what_is_no_name_of_this_machine_sends_nothing_on(
    proxy: LiveProxy, upstream: ScriptedUpstream, host: str
) -> None:
    model = fresh("rebound")

    assert (await ask(proxy.port, chat(model), host=host)).status == 403
    assert upstream.all(model) == []


@pytest.mark.parametrize("host", ["localhost", "LocalHost:86", "127.0.0.1:1", "127.8.9.1", "[::1]", "[::1]:8686"])
async def test_names_of_this_machine_are_known(proxy: LiveProxy, host: str) -> None:
    assert (await ask(proxy.port, chat(fresh("here")), host=host)).status == 200
    assert (await ask(proxy.port, b"", "/readyz", "GET", host=host)).status == 200


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "https://moos.example"},
        {"origin": "null"},
        {"origin": "http://localhost.moos.example"},
        {"sec_fetch_site": "cross-site"},
        {**LINK},  # a form: no link sends a body
        {"origin": "https://moos.example", "sec_fetch_site": "same-origin"},
    ],
)
@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
async def test_a_page_of_another_site_sends_nothing_on(
    proxy: LiveProxy, upstream: ScriptedUpstream, said: dict[str, str], kind: str
) -> None:
    model = fresh("forged")
    answer = await ask(proxy.port, chat(model), content_type=kind, **said)

    assert (answer.status, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert upstream.all(model) == []


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "http://127.0.0.1:8686", "sec_fetch_site": "same-origin"},
        {"origin": "http://localhost:3000", "sec_fetch_site": "cross-site"},
        {"origin": "http://[::1]:8686"},
        {"sec_fetch_site": "none"},
    ],
)
async def test_pages_of_this_machine_may_send(proxy: LiveProxy, said: dict[str, str]) -> None:
    assert (await ask(proxy.port, chat(fresh("own")), **said)).status == 200


async def test_a_link_to_the_page_is_followed_and_no_script_of_it_is_lent(proxy: LiveProxy) -> None:
    assert (await ask(proxy.port, b"", "/ui", "GET", **LINK)).status == 200
    assert (await ask(proxy.port, b"", "/ui", "GET", **{**LINK, "sec_fetch_dest": "iframe"})).status == 403
    assert (await ask(proxy.port, b"", "/ui/app.js", "GET", sec_fetch_site="cross-site")).status == 403


async def test_who_has_a_key_may_call_by_any_name(keyed_proxy: LiveProxy) -> None:
    key = {"authorization": f"Bearer {TEAM_KEYS['hard']}", "host": "moos:8686", "origin": "https://moos.example"}

    assert (await ask(keyed_proxy.port, chat(fresh("named")), **key)).status == 200
    assert (await ask(keyed_proxy.port, b"", "/healthz", "GET", host="moos")).status == 200


async def test_names_of_the_settings_are_known(policy_set: PolicySet) -> None:
    settings = Settings(allowed_hosts="Moos.Test, host.docker.internal")
    with LiveProxy(create_app(settings, policy_set, FakeCompressor())) as live:
        for host in ("moos.test", "HOST.docker.internal:8686"):
            assert (await ask(live.port, chat(fresh("named")), host=host, origin=f"https://{host}")).status == 200
        assert (await ask(live.port, chat(fresh("named")), host="other.test")).status == 403


def test_a_client_without_a_browser_may_leave_the_name_out_and_the_address_of_the_settings_is_known() -> None:
    Neighbours(Settings()).check("POST", {})
    Neighbours(Settings(host="moos.box")).check("POST", {"host": "moos.box:8686"})
    with pytest.raises(Forbidden):
        Neighbours(Settings()).check("POST", {"host": "moos.box:8686"})


@pytest.mark.parametrize("names", ["*", "https://moos.test", "moos.test:8686", "a b"])
def test_what_is_no_name_is_told_at_the_start(names: str) -> None:
    with pytest.raises(ValidationError, match="without scheme and port"):
        Settings(allowed_hosts=names)
