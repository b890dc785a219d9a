"""Django is configured once per process: what all tests with django-anymail need."""

import django
from django.conf import settings


def configure() -> None:
    """May be called again."""
    if not settings.configured:
        settings.configure(
            SECRET_KEY="x", ALLOWED_HOSTS=["testserver"], ANYMAIL={"WEBHOOK_SECRET": "me:secret"}, DEFAULT_CHARSET="utf-8",
            EMAIL_BACKEND="anymail.backends.mailjet.EmailBackend", USE_TZ=True,
        )  # fmt: skip
        django.setup()
