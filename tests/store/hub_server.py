"""A small hub on this machine: it speaks those of the Hugging Face Hub's calls that fetching and pushing use."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_test"


class Hub:
    """What the server holds: repositories as mappings of file names to content, and large files by their hash."""

    def __init__(self) -> None:
        self.url = ""
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.large: dict[str, bytes] = {}
        self.calls: list[str] = []

    def sha(self, repo: str) -> str:
        content = self.repositories[repo]
        return hashlib.sha1(b"".join(name.encode() + content[name] for name in sorted(content))).hexdigest()


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, content: Any = b"", code: int = 200, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, code: int, what: str, name: str = "") -> None:
        self.answer({"error": what}, code, X_Error_Code=name, X_Error_Message=what)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_POST(self) -> None:
        path, data = unquote(urlsplit(self.path).path), self.body()
        self.hub.calls.append(path)
        if path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.refuse(401, "Invalid username or password.")
        if path == "/api/repos/create":
            asked = json.loads(data)
            repo = f"{asked.get('organization') or 'user'}/{asked['name']}"
            if repo in self.hub.repositories:
                return self.refuse(409, "exists")
            if asked.get("private") or asked.get("visibility") == "private":
                self.hub.private.add(repo)
            self.hub.repositories[repo] = {}
            return self.answer({"url": f"{self.hub.url}/{repo}"})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**o, "actions": {"upload": {"href": f"{self.hub.url}/large/{o['oid']}"}}}
                for o in json.loads(data)["objects"]
            ]
            return self.answer({"objects": objects, "transfer": "basic"})
        repo = "/".join(path.split("/")[3:5])
        if repo not in self.hub.repositories:
            return self.refuse(404, "Repository not found", "RepoNotFound")
        if "/preupload/" in path:
            files = [
                {
                    "path": f["path"],
                    "shouldIgnore": False,
                    "uploadMode": "lfs" if f["path"].endswith(".safetensors") else "regular",
                }
                for f in json.loads(data)["files"]
            ]
            return self.answer({"files": files})
        for line in map(json.loads, data.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.hub.repositories[repo][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.hub.repositories[repo][value["path"]] = self.hub.large[value["oid"]]
        sha = self.hub.sha(repo)
        return self.answer({"commitUrl": f"{self.hub.url}/{repo}/commit/{sha}", "commitOid": sha})

    def do_PUT(self) -> None:
        data = self.body()
        oid = self.path.rpartition("/")[2]
        assert hashlib.sha256(data).hexdigest() == oid
        self.hub.large[oid] = data
        self.answer()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.calls.append(path)
        pieces = path.strip("/").split("/")
        api = pieces[:2] == ["api", "models"]
        repo = "/".join(pieces[2:4] if api else pieces[:2])
        if repo not in self.hub.repositories:  # as the hub answers to who is not logged in
            return self.refuse(401, "Invalid username or password.", "RepoNotFound")
        content, sha = self.hub.repositories[repo], self.hub.sha(repo)
        rest = pieces[4:] if api else pieces[2:]
        if len(rest) > 1 and rest[1] not in ("main", sha):
            return self.refuse(404, "Invalid rev id", "RevisionNotFound")
        if api and rest[:1] == ["tree"]:
            files = [
                {"type": "file", "path": n, "size": len(d), "oid": hashlib.sha1(d).hexdigest()}
                for n, d in content.items()
            ]
            return self.answer(files)
        if api:
            return self.answer({"id": repo, "sha": sha, "siblings": [{"rfilename": name} for name in content]})
        name = "/".join(rest[2:])
        if name not in content:
            return self.refuse(404, "Entry not found", "EntryNotFound")
        etag = f'"{hashlib.sha1(content[name]).hexdigest()}"'
        return self.answer(content[name], ETag=etag, X_Repo_Commit=sha)

    do_HEAD = do_GET


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that listens inside the block."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneHub", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
