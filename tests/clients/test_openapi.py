"""schemathesis against the running platform, by the OpenAPI file that it serves: whatever comes, the answer is one that is described, and never a 500."""

import warnings
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from estafette.api.operations import OPERATIONS, Operation
from tests.clients.conftest import Ground
from tests.scenarios.platform import DOMAIN

EXAMPLES = 8  # per operation, mode and database: the same ones every time
AUTHOR = f"news@{DOMAIN}"


@schemathesis.serializer("message/rfc822")
def mail_as_it_is(_: object, value: object) -> bytes:
    return f"From: {AUTHOR}\r\nTo: fuzz@dest.example\r\n{value}".encode("utf-8", "replace") if isinstance(value, str) else str(value).encode()


def made_deeper(body: object) -> object:
    """With an author and a recipient that are fine, so that the rest of a message is read, and perhaps sent."""
    if isinstance(body, dict) and isinstance(body.get("Messages"), list):
        fine: dict[str, Any] = {"From": {"Email": AUTHOR}, "To": [{"Email": "fuzz@dest.example"}]}
        return body | {"Messages": [one | fine if isinstance(one, dict) else one for one in body["Messages"]]}
    return body | {"FromEmail": AUTHOR, "To": "fuzz@dest.example", "Recipients": None} if isinstance(body, dict) else body


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", [o for o in OPERATIONS if not o.is_open], ids=lambda o: f"{o.method} {o.path}")
def test_no_request_breaks_it(ground: Ground, operation: Operation, mode: GenerationMode) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns about what it is built from
        schema = schemathesis.openapi.from_url(f"{ground.url}/v1/estafette/openapi.json")
        found = schema[operation.path][operation.method]
        session = requests.Session()
        session.auth = (ground.key, ground.secret)
        answers: list[int] = []

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=found.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            if len(answers) % 2:
                case.body = made_deeper(case.body)
            response = case.call(base_url=ground.url, session=session)
            answers.append(response.status_code)
            assert response.status_code < 500, f"{response.status_code} {response.text}\n{case.as_curl_command()}"
            if response.status_code not in (404, 405):  # perhaps the path is none of the operation's
                case.validate_response(response, checks=[response_schema_conformance, content_type_conformance])

        ask()
        session.close()
        assert answers
