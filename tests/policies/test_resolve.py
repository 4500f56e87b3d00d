from __future__ import annotations

from collections.abc import Callable

import pytest

from moosproxy.policies.builtin import default_set
from moosproxy.policies.faults import NoRouteError
from moosproxy.policies.overrides import Requested
from moosproxy.policies.resolve import PolicySet, RequestFacts, plain_endpoint

Load = Callable[..., PolicySet]

MAIN = """\
upstreams:
  a: {kind: echo}
  b: {kind: echo}
routes:
  - {name: model, match: {model: ["gpt-4*", o3]}, upstreams: [b, a]}
  - {name: endpoint, match: {endpoint: /v1/embeddings}, upstreams: a}
  - {name: header, match: {header: {X-Project: "trial-*"}}, upstreams: a}
  - {name: both, match: {model: both, header: {x-a: "1", x-b: "*"}}, upstreams: a}
  - {name: team, match: {team: [t, u]}, upstreams: a}
  - {name: rest, match: {model: "?*"}, upstreams: a}
"""


@pytest.mark.parametrize(
    ("facts", "route"),
    [
        (RequestFacts(model="gpt-4o"), "model"),
        (RequestFacts(model="o3"), "model"),
        (RequestFacts(model="o3-mini"), "rest"),
        (RequestFacts(model="GPT-4o"), "rest"),
        (RequestFacts(model="x/gpt-4"), "rest"),
        (RequestFacts(model="e", endpoint="/v1/embeddings"), "endpoint"),
        (RequestFacts(model="e", endpoint="/embeddings/"), "endpoint"),
        (RequestFacts(model="e", endpoint="/v1/embeddings/x"), "rest"),
        (RequestFacts(model="e", headers={"x-project": "trial-7"}), "header"),
        (RequestFacts(model="e", headers={"x-project": "7"}), "rest"),
        (RequestFacts(model="both", headers={"x-a": "1", "x-b": ""}), "both"),
        (RequestFacts(model="both", headers={"x-a": "1"}), "rest"),
        (RequestFacts(team="t"), "team"),
        (RequestFacts(team="u", model="e"), "team"),
        (RequestFacts(team="v", model="e"), "rest"),
        (RequestFacts(team="unheard-of", model="e"), "rest"),
    ],
)
def test_the_first_route_that_takes_the_request_decides(loaded: Load, facts: RequestFacts, route: str) -> None:
    assert loaded(MAIN, t="description: ''", u="description: ''", v="description: ''").decide(facts).route == route


def test_a_request_that_no_route_takes_is_refused_by_name(loaded: Load) -> None:
    found = loaded("upstreams: {a: {kind: echo}}\nroutes: [{match: {model: known, endpoint: chat/completions}}]\n")
    with pytest.raises(NoRouteError, match="no route takes model 'none' at 'chat/completions'"):
        found.decide(RequestFacts(model="none"))
    with pytest.raises(NoRouteError, match="no route takes model None at 'models'"):
        found.decide(RequestFacts(endpoint="/v1/models"))


def test_a_request_that_names_no_model_goes_to_the_first_route_that_takes_it_otherwise(loaded: Load) -> None:
    routes = """
upstreams: {one: {kind: echo}}
routes:
  - {match: {team: t, model: "a-*"}, name: theirs}
  - {match: {model: "b-*", endpoint: chat/completions}, name: chats}
  - {match: {model: "b-*"}, name: rest}
"""
    found = loaded(routes, t="description: ''", u="description: ''")
    assert found.decide(RequestFacts(team="t", endpoint="/v1/models")).route == "theirs"
    assert found.decide(RequestFacts(team="u", endpoint="/v1/models")).route == "rest"


def test_upstreams_come_in_the_routes_order(loaded: Load) -> None:
    found = loaded(MAIN, t="description: ''", u="description: ''")
    assert [upstream.name for upstream in found.decide(RequestFacts(model="o3")).upstreams] == ["b", "a"]


def test_a_teams_own_routes_come_first_and_are_nobody_elses(loaded: Load) -> None:
    main = "upstreams: {a: {kind: echo}}\nroutes: [{name: common}]"
    found = loaded(main, t="routes: [{match: {model: x}, overrides: {ratio: 5}}]", u="description: ''")
    own = found.decide(RequestFacts(team="t", model="x"))
    assert (own.route, own.policy.ratio) == ("t.routes[0]", 5)
    assert found.decide(RequestFacts(team="t", model="y")).route == "common"
    assert found.decide(RequestFacts(team="u", model="x")).route == "common"
    assert found.decide(RequestFacts(model="x")).route == "common"


def test_deciding_gives_the_very_same_decision_each_time(loaded: Load) -> None:
    found = loaded("upstreams: {a: {kind: echo}}")
    assert found.decide(RequestFacts()) is found.decide(RequestFacts(model="other"))


def test_explaining_agrees_with_deciding_and_adds_the_header_layer(loaded: Load) -> None:
    found = loaded("upstreams: {a: {kind: echo}}\ndefaults: {ratio: 3, max_ratio: 5}")
    explanation = found.explain(RequestFacts(), Requested(ratio=4, alpha=0.9))
    assert explanation.decision is found.decide(RequestFacts())
    assert explanation.applied.policy.ratio == 4
    assert explanation.origins["ratio"].layer == "request header"
    assert explanation.origins["max_ratio"].layer == "defaults"
    assert explanation.origins["alpha"].layer == "built-in default"


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/v1/chat/completions", "chat/completions"),
        ("chat/completions/", "chat/completions"),
        ("/v1/", ""),
        ("/v1beta/x", "v1beta/x"),
        ("/v1/v1/x", "v1/x"),
    ],
)
def test_an_endpoint_is_the_same_with_and_without_v1(path: str, plain: str) -> None:
    assert plain_endpoint(path) == plain


@pytest.mark.parametrize("environ", [None, {}, {"OPENAI_API_KEY": " "}])
def test_without_files_and_without_a_key_requests_go_to_echo(environ: dict[str, str] | None) -> None:
    found = default_set(environ)
    assert [upstream.kind for upstream in found.decide(RequestFacts(model="gpt-4o")).upstreams] == ["echo"]
    assert not found.has_keys


def test_without_files_but_with_openais_key_requests_go_to_openai() -> None:
    found = default_set({"OPENAI_API_KEY": "sesame", "OPENAI_BASE_URL": "http://127.0.0.1:8686/v1"})
    (upstream,) = found.decide(RequestFacts()).upstreams
    assert (upstream.kind, upstream.base_url) == ("openai", "https://api.openai.com/v1")
    assert upstream.api_key is not None
    assert upstream.api_key.get_secret_value() == "sesame"


def test_without_files_messages_go_to_anthropic_where_its_key_is_there() -> None:
    def where(found: PolicySet, endpoint: str) -> str:
        return found.decide(RequestFacts(endpoint=endpoint)).upstreams[0].name

    both = default_set(
        {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b", "ANTHROPIC_BASE_URL": "http://127.0.0.1:8686"}
    )
    alone = default_set({"ANTHROPIC_API_KEY": "b"})
    paths = ("/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/models")

    assert [where(both, path) for path in paths] == ["anthropic", "anthropic", "openai", "openai"]
    assert {where(alone, path) for path in paths} == {"anthropic"}
    assert set(both.upstreams) == {"openai", "anthropic"}
    theirs = both.upstreams["anthropic"]
    assert (theirs.kind, theirs.base_url) == ("anthropic", "https://api.anthropic.com/v1")
    assert theirs.api_key is not None
    assert theirs.api_key.get_secret_value() == "b"
