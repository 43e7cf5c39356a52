"""Discovery through real entry points: distributions written into a folder on the path, no pip."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pluggy
import pytest

from ganzoo.errors import UserError
from ganzoo.registry import Registry, plugins
from tests.core.helpers import Site, register

NET = register('zoo.generator("{0}", "{0}_nets:Net")')


def net(name: str) -> str:
    return NET.replace("{0}", name)


def names(registry: Registry) -> list[str]:
    return [f"{e.plugin.dist}:{e.id}" for e in registry]


def problem(registry: Registry) -> str:
    assert len(registry.failures) == 1, registry.failures
    return str(registry.failures[0])


def test_our_own_zoo_comes_through_the_same_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANZOO_DISABLE", raising=False)
    monkeypatch.delenv("GANZOO_PLUGINS", raising=False)
    registry = plugins.discover()
    assert not registry.failures
    points = {point.name for point in entry_points(group="ganzoo") if point.dist and point.dist.name == "ganzoo"}
    assert {plugin.name for plugin in registry.plugins if plugin.dist == "ganzoo"} == points
    assert registry.find("generator.mlp").plugin == registry.find("ganzoo:generator.mlp").plugin
    assert registry.folders


def test_a_plugin_is_found(site: Site) -> None:
    path = site.add("acme-nets", net("acme"), point="acme", version="0.3")
    registry = plugins.discover()
    assert names(registry) == ["acme-nets:generator.acme"]
    entry = registry.find("generator.acme")
    assert entry.plugin == ("acme", "acme-nets", "0.3")
    assert str(entry.plugin) == "acme-nets 0.3 (plugin 'acme')"
    assert [module.__file__ for module in registry.modules] == [str(path)]
    assert registry.find("acme:generator.acme") is registry.find("acme-nets:generator.acme") is entry


def test_each_discovery_makes_a_fresh_registry(site: Site) -> None:
    site.add("acme", net("acme"))
    one, two = plugins.discover(), plugins.discover()
    assert one is not two
    one.entries.clear()
    assert names(two) == ["acme:generator.acme"]


def test_the_hooks_are_read_once_for_all_plugins(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        site.add(name, net(name))
    made: list[object] = []
    add = pluggy.PluginManager.add_hookspecs
    monkeypatch.setattr(pluggy.PluginManager, "add_hookspecs", lambda self, of: made.append(of) or add(self, of))
    assert len(list(plugins.discover())) == 3
    assert len(made) <= 2


def test_lazy_modules_are_not_imported(site: Site) -> None:
    site.add("acme", net("acme"))
    path = site.write("acme_nets", 'import torch\n\n\nclass Net:\n    """A net."""\n')
    registry = plugins.discover()
    (entry,) = list(registry)
    assert entry.source() == (str(path), 4, "A net.")
    assert "acme_nets" not in sys.modules
    entry.load()
    assert "acme_nets" in sys.modules


# -- what fails fails alone --------------------------------------------------------------------------------------------

BROKEN = {
    "raises on import": ("raise OSError('no disk')", "failed to load: OSError: no disk"),
    "exits on import": ("import sys; sys.exit(3)", "failed to load: RuntimeError: it exits with 3"),
    "syntax error": ("def register(zoo:", "failed to load: SyntaxError"),
    "missing dependency": ("import nothing_like_this", "failed to load: ModuleNotFoundError: No module named"),
    "no module": (None, "failed to load: ModuleNotFoundError: No module named 'bad'"),
    "no hook": ("def register(zoo): pass", "it marks no hook: it needs `@ganzoo.hookimpl def register(zoo)`"),
    "misspelt hook": (
        register("pass").replace("register", "regsiter"),
        "there is no hook 'regsiter' (did you mean 'register'",
    ),
    "misspelt run hook": (
        "import ganzoo\n@ganzoo.hookimpl\ndef on_stepp(run, step, values): pass\n",
        "there is no hook 'on_stepp' (did you mean 'on_step'",
    ),
    "wrong arguments": (register("pass").replace("(zoo)", "(registry)"), "Argument(s) {'registry'} are declared"),
    "raises in register": (register("zoo.generator('half', dict)\n1 / 0"), "failed to register: ZeroDivisionError"),
    "unknown kind": (register("zoo.genrator('x', dict)"), "there is no zoo.genrator (did you mean 'generator'"),
    "a name twice": (register("zoo.loss('x', dict)\nzoo.loss('x', dict)"), "loss.x is registered twice"),
    "no such folder": (register("zoo.configs('nowhere')"), "there is no folder of models at 'nowhere'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_leaves_the_others_alone(case: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    code, expected = BROKEN[case]
    site.add("bad", code, version="0.9")
    site.add("good", net("good"))
    registry = plugins.discover()
    assert names(registry) == ["good:generator.good"]
    assert [p.name for p in registry.plugins] == ["good"]
    assert problem(registry).startswith("bad 0.9 failed to ")
    assert expected in problem(registry)
    for use in ("bad:generator.half", "generator.half"):
        with pytest.raises(UserError) as caught:
            registry.find(use)
        assert problem(registry) in str(caught.value)
    monkeypatch.setenv("GANZOO_STRICT", "1")
    with pytest.raises(UserError, match="GANZOO_STRICT is set") as caught:
        plugins.discover()
    assert expected in str(caught.value)


def test_a_plugin_that_follows_runs_only_is_no_failure(site: Site) -> None:
    site.add("logger", "import ganzoo\n@ganzoo.hookimpl\ndef on_step(run, step): pass\n")
    registry = plugins.discover()
    assert not registry.failures
    assert [p.name for p in registry.plugins] == ["logger"]
    assert len(plugins.run_hooks(registry).hook.on_step.get_hookimpls()) == 1


def test_a_distribution_without_metadata_is_still_named(site: Site) -> None:
    path = site.add("nameless", net("nameless"))
    (path.parent / "nameless-1.0.dist-info" / "METADATA").write_text("")
    assert [e.id for e in plugins.discover()] == ["generator.nameless"]


def test_an_entry_point_that_is_no_module_is_reported(site: Site) -> None:
    info = site.add("bad", None)
    (info / "entry_points.txt").write_text("[ganzoo]\nbad = not a module!\n")
    assert problem(plugins.discover()).startswith("bad 1.0 failed to load:")


# -- names claimed twice -----------------------------------------------------------------------------------------------


def test_two_distributions_with_one_entry_point_name_are_both_found(site: Site) -> None:
    site.add("one", net("one"), point="nets")
    site.add("two", net("two"), point="nets")
    registry = plugins.discover()
    assert names(registry) == ["one:generator.one", "two:generator.two"]
    assert [str(p) for p in registry.plugins] == ["one 1.0 (plugin 'nets')", "two 1.0 (plugin 'nets')"]


def test_one_name_from_two_distributions_is_ambiguous(site: Site) -> None:
    site.add("one", net("same"), version="1.1")
    site.add("two", net("same"), version="2.2")
    registry = plugins.discover()
    with pytest.raises(UserError) as caught:
        registry.find("generator.same")
    assert str(caught.value) == (
        "generator.same is claimed by one 1.1 and by two 2.2 (write 'one:generator.same' or 'two:generator.same')"
    )
    assert registry.find("two:generator.same").plugin.version == "2.2"


def test_the_zoo_cannot_be_shadowed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANZOO_DISABLE")
    site.add("acme", net("mlp"))
    registry = plugins.discover()
    with pytest.raises(UserError, match=r"'acme:generator.mlp' or 'ganzoo:generator.mlp'"):
        registry.find("generator.mlp")
    assert registry.find("ganzoo:generator.mlp").plugin.dist == "ganzoo"


def test_order_on_the_path_does_not_matter(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for number, order in enumerate(itertools.permutations(["a", "b", "c"])):
        for dist in order:
            folder = tmp_path / f"{number}{dist}"
            folder.mkdir()
            monkeypatch.syspath_prepend(folder)
            place = Site(folder)
            place.add(dist, net("same"), module=f"order_{dist}")
            site.modules += place.modules
        registry = plugins.discover()
        found.append((names(registry), registry.plugins))
        with pytest.raises(UserError, match=r"claimed by a 1.0 \(plugin 'order_a'\) and by b"):
            registry.find("generator.same")
        for dist in order:
            sys.path.remove(str(tmp_path / f"{number}{dist}"))
    assert all(each == found[0] for each in found)
    assert found[0][0] == ["a:generator.same", "b:generator.same", "c:generator.same"]


# -- switches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("GANZOO_PLUGINS", "one", ["one"]),
        ("GANZOO_PLUGINS", "one-dist", ["one"]),
        ("GANZOO_PLUGINS", " one , two ", ["one", "two"]),
        ("GANZOO_PLUGINS", "", []),
        ("GANZOO_DISABLE", "one,ganzoo", ["two"]),
        ("GANZOO_DISABLE", "two-dist,ganzoo", ["one"]),
        ("GANZOO_DISABLE", "ganzoo", ["one", "two"]),
    ],
)
def test_switches(variable: str, value: str, expected: list[str], site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        site.add(f"{name}-dist", net(name), point=name, module=f"switch_{name}")
    monkeypatch.setenv(variable, value)
    registry = plugins.discover()
    assert [p.name for p in registry.plugins] == expected
    assert ("switch_one" in sys.modules) == ("one" in expected)


def test_a_name_of_a_disabled_plugin_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("acme", net("acme"))
    monkeypatch.setenv("GANZOO_DISABLE", "acme,ganzoo")
    registry = plugins.discover()
    with pytest.raises(UserError, match="the plugin 'acme' is disabled"):
        registry.find("acme:generator.acme")
    with pytest.raises(UserError, match="disabled: acme, ganzoo"):
        registry.find("generator.acme")


def test_strict_zero_is_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("bad", "1 / 0")
    monkeypatch.setenv("GANZOO_STRICT", "0")
    assert len(plugins.discover().failures) == 1


# -- local code --------------------------------------------------------------------------------------------------------


@pytest.fixture
def local(tmp_path: Path) -> Callable[..., Path]:
    def write(code: str, name: str = "mine.py", folder: str = "local") -> Path:
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / name
        path.write_text(code)
        return path

    return write


def test_a_local_file_is_a_plugin(local: Callable[..., Path]) -> None:
    registry = Registry()
    path = local(register("zoo.loss('mine', Mine)", "class Mine:\n    '''My loss.'''"))
    plugins.add_file(registry, path)
    plugins.add_file(registry, str(path))  # once is enough
    entry = registry.find("loss.mine")
    assert entry.source() == (str(path), 2, "My loss.")
    assert entry.plugin == ("mine", "mine.py", "local")
    assert len(registry.plugins) == 1


def test_two_local_files_of_one_name_are_two_plugins(local: Callable[..., Path]) -> None:
    registry = Registry()
    plugins.add_file(registry, local(register("zoo.loss('one', One)", "class One: pass"), folder="a"))
    plugins.add_file(registry, local(register("zoo.loss('two', Two)", "class Two: pass"), folder="b"))
    assert [e.name for e in registry] == ["one", "two"]
    assert [e.load().__name__ for e in registry] == ["One", "Two"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("1 / 0", "failed to load: ZeroDivisionError"),
        ("raise SystemExit(2)", "failed to load: SystemExit: 2"),
        ("x = 1", "it marks no hook"),
        (register("zoo.loss('half', dict)\nzoo.los('x', dict)"), "there is no zoo.los (did you mean 'loss'"),
    ],
)
def test_a_local_file_that_fails_is_an_error_and_adds_nothing(
    code: str, expected: str, local: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for strict in ("", "1"):
        monkeypatch.setenv("GANZOO_STRICT", strict)
        registry, before = Registry(), set(sys.modules)
        with pytest.raises(UserError, match=r"--code .*mine.py") as caught:
            plugins.add_file(registry, local(code))
        assert expected in str(caught.value)
        assert not list(registry)
        assert not registry.failures
        assert not {name for name in set(sys.modules) - before if name.startswith("ganzoo_code")}


def test_a_local_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        plugins.add_file(Registry(), tmp_path / "gone.py")
