"""The card of a published model: what it is, how to use it, what was measured and how, in the hub's format."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ganzoo.config.spec import Spec
from ganzoo.config.static import Graph
from ganzoo.evaluation.records import against
from ganzoo.store import published
from ganzoo.store.files import dump_yaml
from ganzoo.store.published import Published

LICENCES = ("mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0")  # of the hub


def text(made: Published, spec: Spec) -> str:
    """The card as Markdown, its metadata first."""
    return f"---\n{dump_yaml(metadata(made, spec))}---\n\n" + "\n\n".join(_body(made, spec)) + "\n"


def inputs(made: Published, spec: Spec) -> dict[str, str]:
    """What a sample is made from, and of which kind: data fields, or images that are made of those without a network.

    Of a model that enlarges photographs it is the small image, not the photograph that it was made of.
    """
    fields, graph = made.header["config"]["locked"]["fields"], Graph(spec)
    found: dict[str, str] = {}
    stack = [spec.sample]
    while stack:
        name = stack.pop()
        needed = graph.needs([name])
        images = any(fields[n]["kind"] == "image" for n in needed if n in fields)
        kinds = {spec.parts[n].kind for n in needed if n in spec.parts}
        made_of = {spec.parts[n].kind for n in graph.direct.get(name, []) if n in spec.parts}
        changed = "op" in made_of and kinds <= {"op", "augment"}  # augments alone leave images as they are here
        if name in fields or (images and changed):
            found[name] = fields[name]["kind"] if name in fields else "image"
        else:
            stack.extend(reversed(graph.direct.get(name, [])))
    return found


def metadata(made: Published, spec: Spec) -> dict[str, Any]:
    """What the hub reads: licence, task, and every number with its protocol as ``model-index``."""
    licence = made.header["data"]["licence"]
    kinds = set(inputs(made, spec).values())
    images = any(field["kind"] == "image" for field in made.header["config"]["locked"]["fields"].values())
    given = "image" if "image" in kinds else "text"
    task = f"{given}-to-image" if given in kinds else "unconditional-image-generation"
    known = licence.lower() in LICENCES
    found: dict[str, Any] = {"license": licence.lower() if known else "other"}
    if not known:
        found["license_name"] = licence
    found |= {"library_name": "ganzoo", "tags": ["gan", "ganzoo"]}
    if images and "vector" not in kinds:
        found["pipeline_tag"] = task
    results = [_result(record, made, task) for record in made.records]
    if results := [result for result in results if result["metrics"]]:
        found["model-index"] = [{"name": made.name, "results": results}]
    return found


def _result(record: Mapping[str, Any], made: Published, task: str) -> dict[str, Any]:
    protocol = record["protocol"]
    args = {key: value for key, value in protocol.items() if key not in ("code", "metric")}
    data = made.header["data"]["use"]
    where = {"type": data, "name": protocol.get("real", data), "split": protocol.get("split", "held_out")}
    kind = protocol["metric"].rpartition(".")[2]
    numbers = {name: value for name, value in record["values"].items() if math.isfinite(value)}
    metrics = [{"type": kind, "name": name, "value": value, "args": args} for name, value in numbers.items()]
    return {"task": {"type": task}, "dataset": where, "metrics": metrics}


def _body(made: Published, spec: Spec) -> list[str]:
    header, about = made.header, spec.about
    weights, data, trained = header["weights"], header["data"], header["trained"]
    paper = about.paper
    if paper.startswith("arXiv:"):
        paper = f"[{paper}](https://arxiv.org/abs/{paper.removeprefix('arXiv:')})"
    parts = [f"# {made.name}", ". ".join(filter(None, [about.title.rstrip("."), paper])) + "."]
    if (made.path / published.PICTURE).exists():
        columns = ", ".join(f"`{value.text}`" for value in spec.shown)
        parts.append(f"![{made.name}]({published.PICTURE})\n\n*{columns} at the end of training.*")
    parts += ["## Use", *_use(made, spec), "## The model", "```\n" + "\n".join(spec.lines()) + "\n```"]
    parts += ["## Measured", _table(made)]
    minutes = trained["seconds"] / 60
    how = f"Trained for {header['step']:,} of {header['steps']:,} steps in {minutes:.1f} minutes ({trained['device']})"
    scaled = f" Beside the paper's settings: {about.scaled}." if about.scaled else ""
    averaged = f"; averaged: {', '.join(weights['averaged'])}" if weights["averaged"] else ""
    left = f" Left out: {', '.join(weights['left_out'])}." if weights["left_out"] else ""
    told = " (as its publisher says)" if data["told"] else ""
    credit = f" {data['credit']}." if data["credit"] else ""
    parts += [
        "## Made",
        f"{how} by ganzoo {header['ganzoo']}, torch {trained['torch']}.{scaled}",
        f"`{published.WEIGHTS}` holds {', '.join(weights['parts'])} in {weights['precision']}{averaged}, "
        f"{weights['bytes']:,} bytes, SHA-256 `{weights['sha256']}`.{left} The whole model is in `{published.CONFIG}`.",
        f"Data: `{data['use']}`, licence {data['licence']}{told}.{credit}",
    ]
    return parts


def _use(made: Published, spec: Spec) -> list[str]:
    kinds = inputs(made, spec)
    fields = made.header["config"]["locked"]["fields"]
    shell, python = [], []
    for name, kind in kinds.items():
        example = (fields[name]["classes"] or ["0"])[0] if kind == "label" else "a caption"
        shell.append(f"{name}={'FILE' if kind in ('image', 'vector') else repr(str(example))}")
        python.append(f"{name}={name}" if kind in ("image", "vector") else f"{name}={json.dumps(str(example))}")
    act = f"compute MODEL {spec.sample}" if "image" in kinds.values() else "sample MODEL"
    call = ", ".join(["" if shell and "image" in kinds.values() else "16", *python]).removeprefix(", ")
    method = f'compute("{spec.sample}", {call})' if "image" in kinds.values() else f"sample({call})"
    commands = f"```sh\npip install ganzoo\nganzoo {' '.join([act, *shell])}\n```"
    code = f'```python\nimport ganzoo\n\nmodel = ganzoo.open("MODEL")\nimages = model.{method}\n```'
    where = 'MODEL is a folder with these files, or `zoo:NAME`, or `hf:USER/NAME` (`pip install "ganzoo[hub]"`).'
    return [commands, code, where]


def _table(made: Published) -> str:
    rows = ["| number | value | samples | real | seed |", "| --- | --- | --- | --- | --- |"]
    for record in made.records:
        protocol = record["protocol"]
        for name, value in record["values"].items():
            cells = [
                f"`{name}`",
                f"{value:.5g}",
                protocol.get("n_fake", ""),
                against(protocol),
                protocol.get("seed", ""),
            ]
            rows.append(f"| {' | '.join(map(str, cells))} |")
    if len(rows) == 2:
        return "Nothing was measured."
    return "\n".join(rows) + f"\n\nMeasured with these weights; the whole protocols are in `{published.RECORDS}`."
