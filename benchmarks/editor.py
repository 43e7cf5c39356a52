"""What `yaml-language-server` answers while a model is written: completions, hovers, and what it underlines.

    npm install --prefix build/yls yaml-language-server
    python -m benchmarks.editor build/yls/node_modules/.bin/yaml-language-server

It talks to the server as an editor does and prints the answers as Markdown, as docs/editors.md has them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from typing import Any

from ganzoo.cli.schema import LINE

SCHEMA = Path(__file__).parents[1] / "configs" / "schema.json"
HERE = "|"  # where the cursor is
COMPLETIONS = [
    ("the name of a component", "parts:\n  G: {use: generator.dc|}"),
    ("the same in block style", "parts:\n  G:\n    use: generator.dc|"),
    ("short form", "parts:\n  adv: adversarial.h|"),
    ("what is put on a part", "parts:\n  D:\n    with:\n      sn: regularizer.sp|"),
    ("arguments", "parts:\n  G:\n    use: generator.dcgan\n    w|"),
    ("the values of an argument", "parts:\n  G:\n    use: generator.dcgan\n    norm: |"),
    ("settings of training", "train:\n  s|"),
    ("the values of a setting", "train:\n  precision: |"),
    ("a logger's options", "plugins:\n  wandb:\n    p|"),
    ("top-level settings", "opt|"),
    ("what a player may have", "players:\n  G:\n    |"),
    ("an optimizer's arguments", "optimizer:\n  use: optimizer.adam\n  b|"),
]
HOVERS = [
    ("an argument", "parts:\n  G:\n    use: generator.dcgan\n    wid|th: 64"),
    ("a setting", "train:\n  acc|umulate: 2"),
]
MISTAKES = [
    "parts:\n  G: {use: generator.dcgna}",
    "parts:\n  G: {use: generator.dcgan, widht: 64}",
    "parts:\n  G: {use: generator.dcgan, width: 0}",
    "parts:\n  G: {use: generator.dcgan, norm: bacth}",
    "parts:\n  D: {with: {l: loss.l1}}",
    "train: {bacth: 64}",
    "train: {steps: many}",
    "train: {precision: bf61}",
    "train: {device: gpu}",
    "flow:\n  fake: G(z) + G(z)",
    "flow:\n  fake: G(z",
    "players:\n  G:\n    minimise: {a: adv.g(D(fake))}",
    "players:\n  G: {repeat: 0}",
    "optimizer: {use: optimizer.adam, betas: [0.5]}",
    "epochs: 10",
]


class Server:
    """A language server on the other end of a pipe."""

    def __init__(self, command: list[str]):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.told: Queue[dict[str, Any]] = Queue()
        self.answers: Queue[dict[str, Any]] = Queue()
        self.count = 0
        threading.Thread(target=self.listen, daemon=True).start()
        self.ask("initialize", processId=None, rootUri=None, capabilities={"textDocument": CAPABILITIES})
        self.tell("initialized")
        self.tell("workspace/didChangeConfiguration", settings={"yaml": SETTINGS})

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def tell(self, method: str, **params: Any) -> None:
        self.send({"method": method, "params": params})

    def ask(self, method: str, **params: Any) -> Any:
        self.count += 1
        self.send({"id": self.count, "method": method, "params": params})
        while (answer := self.answers.get(timeout=60))["id"] != self.count:
            pass
        if "error" in answer:
            raise RuntimeError(answer["error"]["message"])
        return answer["result"]

    def listen(self) -> None:
        assert self.process.stdout is not None
        while head := self.process.stdout.readline():
            while (line := self.process.stdout.readline()).strip():
                head += line
            size = int(head.lower().partition(b"content-length:")[2].split()[0])
            message = json.loads(self.process.stdout.read(size))
            if "method" in message and "id" in message:
                items = message.get("params", {}).get("items", [])
                result = [SETTINGS if item.get("section") == "yaml" else {} for item in items]
                self.send({"id": message["id"], "result": result or None})
            else:
                (self.told if "method" in message else self.answers).put(message)

    def opened(self, path: Path, text: str) -> list[dict[str, Any]]:
        """Open a file; what is underlined in it."""
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)
        while True:
            message = self.told.get(timeout=60)
            if message["method"] == "textDocument/publishDiagnostics" and message["params"]["uri"] == path.as_uri():
                return message["params"]["diagnostics"]


CAPABILITIES = {"completion": {"completionItem": {"documentationFormat": ["markdown"]}}, "publishDiagnostics": {}}
SETTINGS = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}


def last(text: str) -> str:
    """The line that is being written."""
    return text.rpartition("\n")[2].strip()


def main(command: str) -> None:
    with TemporaryDirectory() as name:
        server, folder = Server([command, "--stdio"]), Path(name)
        (folder / "schema.json").write_bytes(SCHEMA.read_bytes())
        number = iter(range(1000))

        def at(text: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
            before = (whole := f"# A model\n{LINE}schema.json\n{text}").partition(HERE)[0]
            path = folder / f"model_{next(number)}.yaml"
            path.write_text(whole.replace(HERE, "", 1))
            found = server.opened(path, whole.replace(HERE, "", 1))
            line = before.rpartition("\n")[2]
            position = {"line": before.count("\n"), "character": len(line)}
            return {"textDocument": {"uri": path.as_uri()}, "position": position}, found, whole

        print("| while writing | it offers |\n| --- | --- |")
        for what, text in COMPLETIONS:
            place, _, _ = at(text)
            items = server.ask("textDocument/completion", **place)["items"]
            typed = re.split(r"[ {]", text.partition(HERE)[0])[-1].strip()
            labels = [f"`{item['label']}`" for item in items if item["label"].startswith(typed)]  # editors filter too
            print(f"| {what}: `{last(text).replace(HERE, '▮')}` | {', '.join(labels)} |")
        print("\n| hovering over | it says |\n| --- | --- |")
        for what, text in HOVERS:
            place, _, _ = at(text)
            _, said, *_ = server.ask("textDocument/hover", **place)["contents"]["value"].split("\n\n")
            print(f"| {what}: `{last(text).replace(HERE, '')}` | {' '.join(said.split())} |")
        print("\n| written | it underlines | and says |\n| --- | --- | --- |")
        for text in MISTAKES:
            _, found, whole = at(text)
            lines = whole.split("\n")
            spots = []
            for one in found or [{"message": "nothing", "range": None}]:
                if one["range"] is None:
                    spots.append(("", one["message"]))
                    continue
                start, end = one["range"]["start"], one["range"]["end"]
                stop = end["character"] if end["line"] == start["line"] else None
                spots.append((f"`{lines[start['line']][start['character'] : stop]}`", one["message"]))
            marks, says = ("<br>".join(" ".join(s.split()) for s in column) for column in zip(*spots, strict=True))
            print(f"| `{last(text)}` | {marks} | {says} |")
        models = sorted(SCHEMA.parent.glob("*/*.yaml"))
        marked = [path for path in models if server.opened(path, path.read_text(encoding="utf-8"))]
        print(f"\n{len(models)} bundled models are opened; something is underlined in {len(marked)}.")
        server.process.kill()


if __name__ == "__main__":
    main(sys.argv[1])
