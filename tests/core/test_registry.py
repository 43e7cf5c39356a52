"""The registry by itself: staging, names, provenance, and what it says of names it does not have."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ganzoo.errors import UserError
from ganzoo.registry import KINDS, Entry, Failure, Plugin, Registry, Zoo, components, plugins
from tests.core.helpers import Site, line_of

ACME, OTHER = Plugin("acme", "acme", "0.2"), Plugin("nets", "other-nets", "1.0")


class Net:
    """A network. Paper: arXiv:0000.00000."""


def net() -> Net:
    return Net()


def filled(*names: str, plugin: Plugin = ACME, into: Registry | None = None) -> Registry:
    registry = into if into is not None else Registry()
    zoo = Zoo(plugin)
    for name in names:
        zoo.add(*name.split(".", 1), Net)  # type: ignore[arg-type]
    registry.commit(plugin, object(), zoo)
    return registry


def refused(registry: Registry, use: str, *kinds: str) -> str:
    with pytest.raises(UserError) as caught:
        registry.find(use, kinds or KINDS)
    return str(caught.value)


# -- what a plugin may add ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_method(kind: str) -> None:
    zoo = Zoo(ACME)
    getattr(zoo, kind)("net", Net)
    assert zoo.entries[f"{kind}.net"] == Entry(kind, "net", Net, ACME)


@pytest.mark.parametrize("name", ["net", "net2", "a_b", "net.v2", "x"])
def test_names_it_takes(name: str) -> None:
    Zoo(ACME).add("generator", name, Net)


@pytest.mark.parametrize("name", ["", "Net", "a-b", "2net", "net.v", "net.2", "a b", "loss.net", "_net", "net.v2.v3"])
def test_names_it_refuses(name: str) -> None:
    with pytest.raises(ValueError, match="is no component name"):
        Zoo(ACME).add("generator", name, Net)


@pytest.mark.parametrize("target", ["pkg.nets", "pkg/nets:Net", "", "pkg.nets:", ":Net"])
def test_lazy_targets_it_refuses(target: str) -> None:
    with pytest.raises(ValueError, match=re.escape("'package.module:Class'")):
        Zoo(ACME).add("generator", "net", target)


@pytest.mark.parametrize("target", [None, 3, ["x"]])
def test_targets_that_are_no_factory(target: object) -> None:
    with pytest.raises(ValueError, match="neither a class or function"):
        Zoo(ACME).add("generator", "net", target)  # type: ignore[arg-type]


def test_an_unknown_kind_or_method_has_a_suggestion() -> None:
    with pytest.raises(ValueError, match="did you mean 'generator'"):
        Zoo(ACME).add("genrator", "net", Net)
    with pytest.raises(AttributeError, match=re.escape("no zoo.genrator (did you mean 'generator'")):
        Zoo(ACME).genrator("net", Net)


def test_a_fact_that_nobody_reads_is_refused() -> None:
    zoo = Zoo(ACME)
    zoo.data("set", Net, fields=["x"], licence="MIT")
    assert zoo.entries["data.set"].facts == {"fields": ["x"], "licence": "MIT"}
    with pytest.raises(ValueError, match=r"data.more: there is no fact 'license' \(did you mean 'licence'\?\)"):
        zoo.data("more", Net, license="MIT")
    with pytest.raises(ValueError, match=r"loss.near: there is no fact 'fields' \(a component of this kind has none\)"):
        zoo.loss("near", Net, fields=["x"])
    assert list(zoo.entries) == ["data.set"]


def test_one_plugin_gives_a_name_once() -> None:
    zoo = Zoo(ACME)
    zoo.generator("net", Net)
    with pytest.raises(ValueError, match=r"generator.net is registered twice"):
        zoo.generator("net", net)


def test_configs_by_path_and_by_package(site: Site) -> None:
    zoo = Zoo(ACME)
    (site.folder / "acme_models").mkdir()
    zoo.configs(site.folder)
    zoo.configs("acme_models")
    assert zoo.folders == [site.folder.resolve(), (site.folder / "acme_models").resolve()]
    assert "acme_models" not in sys.modules
    with pytest.raises(ValueError, match="no folder of models at 'nowhere'"):
        zoo.configs("nowhere")


# -- provenance --------------------------------------------------------------------------------------------------------


def test_the_source_of_an_object() -> None:
    for target in (Net, net):
        source = Entry("generator", "net", target, ACME).source()
        assert Path(source.file) == Path(__file__)
        kind = "class" if isinstance(target, type) else "def"
        assert source.line == line_of(Path(__file__).read_text(), f"{kind} {target.__name__}")
    assert Entry("generator", "net", Net, ACME).source().summary == "A network. Paper: arXiv:0000.00000."


LAZY = '''
"""Nets."""

import nothing_like_this


class Net:
    """A lazy network."""

    class Small:
        """A nested one."""


Alias = Net
'''


def test_the_source_of_a_lazy_target_is_read_without_importing(site: Site) -> None:
    (site.folder / "acme_lazy").mkdir()
    (site.folder / "acme_lazy" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (site.folder / "acme_lazy" / "nets.py").write_text(LAZY)
    zoo = Zoo(ACME)
    for name, attribute in {"net": "Net", "small": "Net.Small", "alias": "Alias", "gone": "Gone"}.items():
        zoo.generator(name, f"acme_lazy.nets:{attribute}")
    registry = Registry()
    registry.commit(ACME, object(), zoo)
    sources = {entry.name: entry.source() for entry in registry}
    file = str(site.folder / "acme_lazy" / "nets.py")
    assert sources["net"] == (file, line_of(LAZY, "class Net"), "A lazy network.")
    assert sources["small"] == (file, line_of(LAZY, "class Small"), "A nested one.")
    assert sources["alias"] == (file, line_of(LAZY, "Alias ="), "")
    assert sources["gone"] == (file, 0, "")
    assert not {"acme_lazy", "acme_lazy.nets", "nothing_like_this"} & set(sys.modules)


GLANCED = {
    "plain": 'class Net:\n    """A net."""\n',
    "decorated": '@wrap(\n    3\n)\nclass Net(Base):\n    """A net.\n\n    Paper.\n    """\n    x = 1\n',
    "a function": 'def Net(\n    a: int,\n    b=(1, 2),\n) -> int:\n    """A net."""\n    return a\n',
    "only its method says": 'class Net:\n    def f(self):\n        """Not a net."""\n',
    "only the next one says": 'class Net: pass\n\n\nclass Other:\n    """Not a net."""\n',
    "a default that looks like one": 'def Net(a="""no."""):\n    """A net."""\n',
    "single quotes": 'class Net:\n    \'A net.\'\n\nX = """x"""\n',
    "twice": 'class Net:\n    """The first."""\n\n\nclass Net:\n    """The second."""\n',
    "named in a text": '"""Nets.\n\nclass Net:\n"""\n\n\nclass Net:\n    """A net."""\n',
    "assigned first": 'Net = None\n\n\nclass Net:\n    """A net."""\n',
    "carriage returns": '# a net\r\nclass Net:\r\n    """A net."""\r\n',
    "a raw text": 'class Net:\n    r"""A $\\alpha$ net."""\n',
    "not UTF-8": '# -*- coding: latin-1 -*-\n# \xfc\nclass Net:\n    """A net."""\n',
}


@pytest.mark.parametrize("case", GLANCED)
def test_a_glance_at_a_file_says_what_reading_it_does(case: str, tmp_path: Path) -> None:
    path = tmp_path / "nets.py"
    path.write_bytes(GLANCED[case].encode("latin-1"))
    read = components._defined(str(path), 0)["Net"]
    assert components._glanced(str(path), "Net") in (read, None)


def test_a_list_of_components_reads_few_files_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [entry for entry in plugins.discover() if entry.plugin.dist == "ganzoo" and isinstance(entry.target, str)]
    before = {entry.id: entry.source() for entry in own}
    read: list[str] = []
    defined = components._defined
    monkeypatch.setattr(components, "_defined", lambda file, changed: read.append(file) or defined(file, changed))
    assert {entry.id: entry.source() for entry in own} == before
    assert len(read) < len(own) / 10
    for entry in own:
        file, line, summary = before[entry.id]
        assert defined(file, 0).get(str(entry.target).partition(":")[2], (0, "")) == (line, summary), entry.id


def test_a_lazy_target_that_cannot_be_read_still_has_a_source(site: Site) -> None:
    site.write("acme_bad", "def (:\n")
    files = {"acme_bad:Net": str(site.folder / "acme_bad.py"), "acme_gone.nets:Net": "acme_gone.nets"}
    for target, file in files.items():
        assert Entry("generator", "net", target, ACME).source() == (file, 0, "")


def test_load(site: Site) -> None:
    site.write("acme_load", "class Net:\n    class Small: pass\n")
    site.write("acme_broken", "import nothing_like_this\n")
    assert Entry("generator", "net", Net, ACME).load() is Net
    loaded = Entry("generator", "net", "acme_load:Net.Small", ACME).load()
    assert loaded.__qualname__ == "Net.Small"
    with pytest.raises(UserError, match=r"generator.net of acme 0.2 cannot be imported from acme_load:Nett: Attr"):
        Entry("generator", "net", "acme_load:Nett", ACME).load()
    with pytest.raises(UserError, match="No module named 'nothing_like_this'"):
        Entry("generator", "net", "acme_broken:Net", ACME).load()


# -- finding -----------------------------------------------------------------------------------------------------------


def test_find_and_match() -> None:
    registry = filled("generator.net", "loss.net", "generator.big_net.v2")
    assert registry.find("generator.net").kind == "generator"
    assert registry.find("acme:loss.net").kind == "loss"
    assert [e.id for e in registry.match("generator.*")] == ["generator.big_net.v2", "generator.net"]
    assert [e.id for e in registry.match("loss")] == ["loss.net"]
    assert registry.match("nothing") == []


@pytest.mark.parametrize(
    ("use", "hint"),
    [
        ("generator.nte", "did you mean 'generator.net'"),
        ("genrator.net", "did you mean 'generator.net'?"),
        ("Generator.Net", "did you mean 'generator.net'?"),
        ("net", "did you mean 'generator.net' or 'loss.net'?"),
        ("encoder.net", "did you mean 'generator.net' or 'loss.net'?"),
        ("acme:generator.nte", "did you mean 'generator.net'"),
        ("generator.nets", "did you mean 'generator.net'?"),
        ("generator.unheard_of", "there are generator.net"),
        ("generater.nte", "did you mean 'generator.net'?"),
        ("acm:generator.net", "did you mean 'acme:generator.net', or pip install acm?"),
        ("dreamnets:generator.net", "pip install dreamnets"),
    ],
)
def test_an_unknown_name(use: str, hint: str) -> None:
    assert hint in refused(filled("generator.net", "loss.net"), use)


def test_the_wrong_kind() -> None:
    registry = filled("generator.net", "loss.l1")
    message = refused(registry, "generator.net", "loss")
    assert message == "generator.net is a generator, but a loss is needed (there are loss.l1)"
    assert "which cannot stand here" in refused(registry, "generator.net", "loss", "op", "prior", "encoder")


def test_two_plugins_that_claim_one_name() -> None:
    registry = filled("generator.net", plugin=OTHER, into=filled("generator.net"))
    message = refused(registry, "generator.net")
    assert "acme 0.2 and by other-nets 1.0 (plugin 'nets')" in message
    assert "write 'acme:generator.net' or 'other-nets:generator.net'" in message
    assert registry.find("acme:generator.net").plugin is ACME
    assert registry.find("other-nets:generator.net").plugin is OTHER
    assert registry.find("nets:generator.net").plugin is OTHER


def test_two_plugins_of_one_distribution_are_told_apart_by_their_names() -> None:
    first, second = Plugin("one", "acme", "1.0"), Plugin("two", "acme", "1.0")
    registry = filled("generator.net", plugin=second, into=filled("generator.net", plugin=first))
    assert "write 'one:generator.net' or 'two:generator.net'" in refused(registry, "generator.net")
    assert registry.find("two:generator.net").plugin is second


def test_a_failure_is_quoted_when_a_name_is_missing() -> None:
    registry = filled("generator.net")
    registry.failures.append(Failure(Plugin("x", "x-nets", "0.3"), "load", ImportError("no pytorch3d")))
    quoted = "x-nets 0.3 (plugin 'x') failed to load: ImportError: no pytorch3d"
    assert quoted in refused(registry, "generator.mesh")
    assert refused(registry, "x-nets:generator.mesh") == f"x-nets:generator.mesh cannot be used: {quoted}"
    assert registry.find("generator.net")


def test_iteration_is_sorted_whatever_the_order_of_registration() -> None:
    one = filled("loss.b", "loss.a", plugin=OTHER, into=filled("loss.c", "loss.a"))
    two = filled("loss.a", "loss.c", into=filled("loss.a", "loss.b", plugin=OTHER))
    assert list(one) == list(two)
    assert [(e.id, e.plugin.dist) for e in one] == [
        ("loss.a", "acme"),
        ("loss.a", "other-nets"),
        ("loss.b", "other-nets"),
        ("loss.c", "acme"),
    ]
