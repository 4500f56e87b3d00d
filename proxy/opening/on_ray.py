"""The compressor tier as one deployment of Ray Serve (extra `ray`): replicas follow the tokens that wait.

Ray starts, watches, balances and ends replicas; what one does is the same ASGI application as without Ray.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from moosproxy.proxy.opening.serving import TierApp
from moosproxy.proxy.settings import Settings

APPLICATION = "moos-compressor"
QUEUED = "queued_tokens"
WATCHED = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""Variables of a cluster's head: until a lost machine is called dead, Ray's way in on every other one sends texts
there too. With Ray's own values that takes a quarter of a minute, with these three seconds."""
_ONGOING = 10_000
"""A replica's own admission says how much it takes; Ray is not to hold back texts of which nobody knows."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many replicas, each with how much of a machine.

    least, most: equal for a fixed number. tokens: that may wait for one replica. cpus, gpus: of one.
    """

    least: int = 1
    most: int = 1
    tokens: int = 20_000
    cpus: float = 1.0
    gpus: float = 0.0


class ByQueuedTokens:
    """Ray's policy: as many replicas as have so many waiting tokens each. Ray keeps it within its bounds."""

    def __init__(self, tokens: int) -> None:
        """tokens: that may wait for one replica."""
        self._tokens = tokens

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """The number of replicas, and nothing to remember."""
        queued = sum((context.aggregated_metrics or {}).get(QUEUED, {}).values())
        return max(1, math.ceil(queued / self._tokens)), {}


class Replica:
    """Runs in a process of its own, on any machine of the cluster."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """environment: the MOOS_ variables of whoever deploys."""
        os.environ.update(environment)
        self._app = TierApp(Settings())

    def __serve_build_asgi_app__(self) -> TierApp:
        return self._app

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What the policy goes by."""
        return {QUEUED: float(self._app.tier.queued_tokens) if self._app.tier else 0.0}

    async def check_health(self) -> None:
        """Raises where no text can be compressed: Ray then starts another."""
        if self._app.tier is None:
            raise RuntimeError("the compressor is not loaded")


def application(scale: Scale, settings: Settings, environment: Mapping[str, str]) -> Any:
    """What serve.run takes."""
    from ray import serve

    options: dict[str, Any] = {"num_replicas": scale.least}
    if scale.most > scale.least:
        options = {
            "autoscaling_config": {
                "min_replicas": scale.least,
                "max_replicas": scale.most,
                "policy": {"policy_function": ByQueuedTokens, "policy_kwargs": {"tokens": scale.tokens}},
            }
        }
    deployment = serve.deployment(
        name="compressor",
        max_ongoing_requests=_ONGOING,
        ray_actor_options={"num_cpus": scale.cpus, "num_gpus": scale.gpus},
        graceful_shutdown_timeout_s=settings.drain_s,
        health_check_period_s=2.0,
        health_check_timeout_s=10.0,
        **options,
    )
    return deployment(serve.ingress()(Replica)).bind(dict(environment))


def served(args: Mapping[str, str]) -> Any:
    """For configurations of Ray: import_path `moosproxy.proxy.opening.on_ray:served`. args: fields of Scale.

    Raises ValueError for an unknown one, and without a key: Ray listens where that configuration says.
    """
    whole: dict[str, Any] = {
        name: int(value) for name, value in args.items() if name in ("least", "most", "tokens")
    }
    parts: dict[str, Any] = {name: float(value) for name, value in args.items() if name in ("cpus", "gpus")}
    if unknown := args.keys() - whole.keys() - parts.keys():
        raise ValueError(f"no argument of a compressor tier: {', '.join(sorted(unknown))}")
    settings = Settings()
    if settings.compressor_key is None:
        raise ValueError("no key: set MOOS_COMPRESSOR_KEY on the cluster's head, and for the proxies")
    return application(replace(Scale(), **whole, **parts), settings, _environment())


def deploy(address: str | None, settings: Settings, scale: Scale) -> None:
    """Puts it on the cluster at this address, or on one of this machine where None is given. It stays there.

    A deployment of the same name is replaced replica by replica.
    """
    import ray
    from ray import serve

    if address is None:
        os.environ.update({name: value for name, value in WATCHED.items() if name not in os.environ})
    ray.init(address=address, log_to_driver=False)
    serve.start(
        proxy_location="EveryNode",
        http_options={
            "host": settings.host,
            "port": settings.port,
            "keep_alive_timeout_s": int(settings.idle_timeout_s),
        },
    )
    serve.run(application(scale, settings, _environment()), name=APPLICATION, route_prefix="/")


def withdraw() -> None:
    """Ends the tier and this process's part in the cluster."""
    import ray
    from ray import serve

    serve.shutdown()
    ray.shutdown()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("MOOS_")}
