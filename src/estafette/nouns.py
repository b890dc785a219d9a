"""The nouns of the shelves (docs/decisions/0011): what is kept beside the road. Those of the road itself are in `model.py`, with the rules for both."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Template:
    """A template of an account; its parts are a `TemplateContent`."""

    id: int  # 0 = not yet in the store
    account_id: int
    name: str  # one of its kind in the account
    author: str = ""
    description: str = ""
    copyright: str = ""
    locale: str = "en_US"
    edit_mode: int = 2  # 1 drag and drop, 2 HTML, 3 saved section, 4 MJML
    is_starred: bool = False
    makes_text: bool = False  # IsTextPartGenerationEnabled
    categories: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    presets: str = ""
    created_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True, slots=True)
class TemplateContent:
    """What a mail is made from. None = never set."""

    headers: dict[str, str] = field(default_factory=dict)  # From, Subject, Reply-to, ...: defaults that a send call may override
    html: str | None = None
    text: str | None = None
    mjml: str | None = None
    updated_at: int = 0
