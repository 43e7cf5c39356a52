"""docs/errors.md shows what commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ganzoo.cli.app import app
from ganzoo.errors import UserError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
SHOWN = dict(
    re.findall(r"```sh\n(ganzoo [^\n]+)\n```\n\n```text\n(.+?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
)


def test_the_page_has_messages() -> None:
    assert len(SHOWN) >= 15


@pytest.mark.parametrize("command", SHOWN)
def test_a_message_is_what_the_command_prints(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        app(shlex.split(command)[1:], standalone_mode=False)
    said = [re.sub(r"\S*/configs/", "configs/", str(problem)) for problem in error.value.problems]
    assert "\n".join(said) == SHOWN[command]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()], "nothing is written"
