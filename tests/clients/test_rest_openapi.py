"""schemathesis against every resource of REST v3, by the OpenAPI file that the running platform serves: whatever comes, the answer is one that is described,
of its type, and never a 500; lists also with filters and sorts that are meant to hurt."""

import os
import warnings
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from estafette.api.rest.paths import rest_paths
from estafette.api.rest.table import RESOURCES
from tests.clients.conftest import Ground

EXAMPLES = int(os.environ.get("ESTAFETTE_REST_EXAMPLES", "2"))
"""Per operation and mode: the same ones every time."""
HOSTILE = ["' OR '1'='1", "\0", "%", "_", "\\", "9" * 30, "-1", "1e309", "NaN", "\u202e\U0001f600", "a" * 2000, "1;DROP TABLE message", "[]", "{}",
           "\r\nX: y", "", ","]  # fmt: skip
PATHS, _ = rest_paths(RESOURCES.values())


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_no_request_breaks_a_resource(ground: Ground, name: str) -> None:
    own = {path: item for path, item in PATHS.items() if f"{path}/".startswith(f"/v3/REST/{RESOURCES[name].name}/")}
    with warnings.catch_warnings(), requests.Session() as session:
        warnings.simplefilter("ignore")  # the library warns about what it is built from
        session.auth = (ground.key, ground.secret)
        schema = _schema(ground)
        for path, item in own.items():
            for verb in item:
                for mode in GenerationMode:
                    _ask(ground, session, schema[path][verb.upper()], mode)


_SCHEMAS: dict[str, Any] = {}


def _schema(ground: Ground) -> Any:
    if ground.url not in _SCHEMAS:
        _SCHEMAS[ground.url] = schemathesis.openapi.from_url(f"{ground.url}/v1/estafette/openapi.json")
    return _SCHEMAS[ground.url]


def _ask(ground: Ground, session: requests.Session, operation: Any, mode: GenerationMode) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        response = case.call(base_url=ground.url, session=session)
        assert response.status_code < 500 or response.status_code == 503, f"{response.status_code} {response.text}\n{case.as_curl_command()}"
        if response.status_code not in (404, 405):  # perhaps the path is none of the operation's
            case.validate_response(response, checks=[response_schema_conformance, content_type_conformance])

    ask()


@pytest.mark.parametrize("name", sorted(name for name, one in RESOURCES.items() if one.many is not None))
def test_hostile_filters_and_sorts(ground: Ground, name: str) -> None:
    one = RESOURCES[name]
    names = [*(f.name for f in one.filters), "Sort", "Limit", "Offset", "countOnly"]
    with requests.Session() as session:
        session.auth = (ground.key, ground.secret)
        for value in HOSTILE:
            for given_name in names if EXAMPLES > 2 else [names[(hash_of(value) + n) % len(names)] for n in range(3)]:
                answer = session.get(f"{ground.url}/v3/REST/{one.name}", params={given_name: value}, timeout=20)
                assert answer.status_code in (200, 400, 404), (given_name, value, answer.status_code, answer.text[:300])
                assert isinstance(answer.json(), dict)


def hash_of(text: str) -> int:
    """The same in every run."""
    return sum(text.encode("utf-8", "replace"))
