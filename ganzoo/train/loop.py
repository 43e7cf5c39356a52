"""The loop: for phase, for step, for player, turn. It knows no model."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from torch import nn

from ganzoo.config import static
from ganzoo.config.spec import Component, Phase, Player, Term
from ganzoo.contract import first
from ganzoo.errors import EvaluationError
from ganzoo.model import backward, light
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.modes import for_phase, freeze, parameters
from ganzoo.model.optim import Schedules, hyperparameters, load_states, make_optimizer, make_schedule, states, tell
from ganzoo.model.program import Program
from ganzoo.model.turn import Getter, Shared, Turn
from ganzoo.parallel import distributed, draw, shards
from ganzoo.parallel.norm import over_all_processes
from ganzoo.parallel.shards import Shards
from ganzoo.train import diagnostics, graphs
from ganzoo.train.compiled import compile_parts
from ganzoo.train.ema import Average
from ganzoo.train.feed import Feed, check_batch
from ganzoo.train.meters import Meters
from ganzoo.train.watch import Watch

Reading = Callable[[Mapping[tuple[Any, ...], torch.Tensor]], object]


class PlayerState:
    """A player with all it needs to play in a phase: optimizer, schedules, moving average, constraints.

    Optimizer and schedules go on from the `before` of an earlier phase if the player trains the same parts with the
    same settings, and so does the average; `steps` is how long the schedules last from when they begin.
    """

    steps: int
    optimizer: torch.optim.Optimizer
    schedules: Schedules
    weights: dict[str, Any]

    def __init__(
        self,
        player: Player,
        blueprint: Blueprint,
        parts: dict[str, Any],
        steps: int,
        before: PlayerState | None,
        pieces: Shards,
    ):
        self.player = player
        self.own = parameters(parts, player.trains)
        self.ids = set(map(id, self.own))
        self.after = [
            (blueprint.make(made), [parts[part] for part in player.on[name]]) for name, made in player.after.items()
        ]
        goes_on = before is not None and _training(before.player) == _training(player)
        if before is not None and goes_on:
            self.steps, self.optimizer, self.schedules = before.steps, before.optimizer, before.schedules
        else:
            self.steps, self.optimizer = steps, make_optimizer(player, blueprint, parts)
            self.schedules = Schedules(player, self.optimizer, blueprint, steps)
        self.weights = {
            name: before.weights[name]
            if before is not None and goes_on and _weighed(before.player.terms.get(name)) == _weighed(term)
            else make_schedule(term.weight, blueprint, self.steps)
            for name, term in player.terms.items()
            if isinstance(term.weight, Component)
        }
        self.ema: Average | None = None
        if player.ema is not None:
            kept = before.ema if before is not None and before.player.ema == player.ema else None
            same = kept is not None and kept.holds(parts, player.trains)
            self.ema = kept if same else Average(player.ema, parts, player.trains, pieces)

    def see(self, find: Callable[[str], float | None]) -> None:
        """Tell the schedules, those of the terms' weights too, what they go by."""
        self.schedules.see(find)
        tell(self.weights, find)

    def state_dict(self) -> dict[str, Any]:
        return {
            "optimizer": self.optimizer.state_dict(),
            "schedules": self.schedules.state_dict(),
            "weights": states(self.weights),
            "ema": self.ema.state_dict() if self.ema is not None else None,
        }

    def load_state_dict(self, state: dict[str, Any], changed: bool = False) -> None:
        stated = hyperparameters(self.optimizer) if changed else None
        self.optimizer.load_state_dict(state["optimizer"])
        if stated is not None:
            for group, values in zip(self.optimizer.param_groups, stated, strict=True):
                group.update(values)
        self.schedules.load_state_dict(state["schedules"])
        load_states(self.weights, state.get("weights", {}))
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])


def _training(player: Player) -> Any:
    """What must be the same for an optimizer to go on in another phase."""
    schedules = {key: (c.entry.id, c.args) for key, c in player.schedules.items()}
    optimizer = player.optimizer and (player.optimizer.entry.id, player.optimizer.args)
    return player.trains, player.lr_scale, optimizer, schedules


def _weighed(term: Term | None) -> Any:
    """What must be the same for the schedule of a term's weight to go on in another phase."""
    weight = term.weight if term is not None else None
    return (weight.entry.id, weight.args) if isinstance(weight, Component) else None


class Trainer:
    """Trains the parts of a blueprint, one step at a time; its state is all that a resumed run needs.

    Args:
        blueprint: The checked model; its data is read from now on.
        device: Where to train.
    """

    def __init__(self, blueprint: Blueprint, device: torch.device):
        self.blueprint, self.spec, self.device = blueprint, blueprint.spec, device
        self.train = self.spec.train
        self.rank, self.world = distributed.rank(), distributed.world()
        for phase in self.spec.phases.values():
            for player in phase.players.values():
                path = "train.batch" if player.batch is None else f"{player.path}.batch"
                origin = self.spec.origins.get(path, player.origin)
                check_batch(path, origin, player.batch or self.train.batch, self.world, self.train.accumulate)
        self.shards = shards.Shards(device)
        self.parts = blueprint.build(device, shards=self.shards if self.world > 1 else None)
        if self.train.sync_batch_norm and self.world > 1:
            for part in self.parts.values():
                if isinstance(part, nn.Module):
                    over_all_processes(part)
        self.every = parameters(self.parts, self.parts)
        self.feed = Feed(blueprint.data, self.train.seed, device, self.rank, self.world)
        self.meters = Meters(device)
        self.graph = static.Graph(self.spec)
        self.step = 0
        self.phase_step = 0
        self.logged = False  # whether diagnostics are read in this step
        asked = any(isinstance(options, dict) and options.get("histograms") for options in self.spec.plugins.values())
        self.gradients: dict[str, torch.Tensor] | None = {} if asked else None  # of the last step that was logged
        self.players: dict[str, PlayerState] = {}
        self.phase: Phase = next(iter(self.spec.phases.values()))
        self.enter(self.phase)
        self.plain = compile_parts(self.spec, self.parts) if self.train.compile else []

    @property
    def total(self) -> int:
        """The steps of all phases."""
        return sum(phase.steps for phase in self.spec.phases.values())

    def enter(self, phase: Phase) -> None:
        """Begin a phase: modes, optimizers, compiled terms."""
        self.phase, self.phase_step = phase, 0
        for name, player in phase.players.items():
            before, steps = self.players.get(name), self.remaining(name, phase)
            self.players[name] = PlayerState(player, self.blueprint, self.parts, steps, before, self.shards)
        for name, state in self.players.items():
            if state.ema is not None and name not in phase.players:
                state.ema.forget(phase.trained())
        for_phase(self.parts, self.spec.parts, phase)
        self.prepare()
        self.steps = graphs.steps(self)

    def remaining(self, player: str, phase: Phase) -> int:
        """The steps of a player from this phase on with this optimizer: what a schedule that ends with it asks for."""
        phases = list(self.spec.phases.values())
        playing = [p for p in phases[phases.index(phase) :] if player in p.players]
        alike = takewhile(lambda p: _training(p.players[player]) == _training(phase.players[player]), playing)
        return sum(p.steps for p in alike)

    def prepare(self) -> None:
        """Compile the phase's terms and settle who owns which shared value."""
        shared = [name for name in self.spec.share if name in self.spec.flow]
        self.shared_names = frozenset(name for name in self.graph.needs(shared) if name in self.spec.flow)
        self.owners = {
            name: frozenset(p.name for p in static.owners(name, self.phase, self.graph)) for name in self.shared_names
        }
        pieces = {name: self.shared_names.intersection(self.graph.needs([name])) for name in self.shared_names}
        self.learning = {  # who asks for gradients of a shared value, or of a value that is computed with it
            name: frozenset().union(*(self.owners[piece] for piece in needed)) for name, needed in pieces.items()
        }
        self.together = frozenset().union(*(players for players in self.learning.values() if len(players) > 1))
        autocast = self.device.type if self.train.precision == "bf16" else None
        self.program = Program(self.spec.flow, self.parts.__getitem__, self.blueprint.kind, self.owners, autocast)
        self.autocast: Any = (
            torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False) if autocast else nullcontext()
        )
        self.watch = Watch(self.spec, self.parts, self.program)
        self.terms: dict[str, list[tuple[Term, Getter, Any]]] = {}
        for name, player in self.phase.players.items():
            weights = self.players[name].weights
            self.terms[name] = [
                (term, self.program.value(term, term.body), weights.get(key, term.weight))
                for key, term in player.terms.items()
            ]

    # -- one step ------------------------------------------------------------------------------------------------

    def advance(self) -> bool:
        """One step of the current phase; False when no phase is left."""
        while self.phase_step >= self.phase.steps:
            phases = list(self.spec.phases.values())
            following = phases[phases.index(self.phase) + 1 :]
            if not following:
                return False
            self.enter(following[0])
        self.seed_globals()
        self.logged = (self.step + 1) % self.train.log_every == 0 or self.step + 1 == self.total
        if self.gradients:
            self.gradients.clear()
        playing = [p for p in self.phase.players.values() if self.step % p.every == 0]
        self.steps.begin(playing)
        batches = self.steps.take(self.train.batch)
        shares = self.shares(batches, playing)
        waiting = []
        for player in playing:
            for repeat in range(player.repeat):
                rows, shared = batches, shares
                if player.batch not in (None, self.train.batch):
                    rows, shared = self.steps.take(player.batch), None
                elif repeat:
                    rows = self.steps.take(self.train.batch)
                    shared = self.shares(rows, [player])
                if not self.evaluate(player, repeat, rows, shared):
                    continue
                if self.spec.simultaneous:
                    waiting.append(player)
                else:
                    self.update(player)
        for player in waiting:
            self.update(player)
        for name in self.phase.players:
            self.players[name].schedules.step()
        if self.logged and self.spec.log:
            self.look(batches)
        self.steps.end()
        self.step += 1
        self.phase_step += 1
        return True

    def seed_globals(self) -> None:
        """Seed what draws outside ``ganzoo.parallel.draw``, such as dropout, afresh at every step.

        Nothing of it needs saving then, and a library that draws while it is imported, once, late, changes nothing.
        """
        self.seed_with("global", self.step, self.rank)

    def seed_with(self, *key: Any) -> None:
        """Seed the global generators of Python, NumPy and torch from a key."""
        seed = draw.seed_of(self.train.seed, *key)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        if self.device.type == "cpu":  # torch.manual_seed would also note a stack trace for a GPU not in use, 0.3 ms
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def turn(
        self, batch: Mapping[str, Any], size: int, player: str, repeat: int, index: int, shared: Shared | None
    ) -> Turn:
        """The turn of one micro-batch: its rows, and its slice of the global draws."""
        draws = self.draws(player, repeat, index)
        return Turn(batch, size // draws.share[1], self.step, draws, player, shared)

    def draws(self, player: str, repeat: int, index: int) -> draw.Draws:
        """What one micro-batch draws."""
        part = (index * self.world + self.rank, self.train.accumulate * self.world)
        return self.steps.draws((self.train.seed, self.step, player, repeat), part)

    def shares(self, batches: graphs.Batches, playing: list[Player]) -> list[Shared] | None:
        """For each micro-batch, the values that this step computes once."""
        if not self.shared_names:
            return None
        present = {player.name for player in playing}

        @contextmanager
        def enter(name: str) -> Iterator[None]:
            learning = self.learning[name] & present
            if not learning:
                with torch.no_grad():
                    yield
                return
            before = [p for p in self.every if p.requires_grad]
            freeze(self.every, set().union(*(self.players[player].ids for player in learning)))
            yield
            freeze(self.every, set(map(id, before)))

        waiting = self.together & present
        return [
            Shared(
                self.shared_names,
                self.turn(rows, self.train.batch, "share", self.feed.cursor, index, None),
                enter,
                set(waiting),
            )
            for index, rows in enumerate(batches)
        ]

    def evaluate(self, player: Player, repeat: int, batches: graphs.Batches, shares: list[Shared] | None) -> bool:
        """One player's gradients, and its terms in the meters; False if none of them is due."""
        return self.steps.evaluate(player, repeat, batches, shares)

    def gradients_of(
        self, player: Player, repeat: int, batches: graphs.Batches, shares: list[Shared] | None, note: graphs.Note
    ) -> bool:
        """One player's gradients, its own parameters alone unfrozen, its terms told to `note`; False if none is due."""
        state = self.players[player.name]
        freeze(self.every, state.ids)
        state.optimizer.zero_grad(set_to_none=True)
        active = [t for t in self.terms[player.name] if self.step % t[0].every == 0]
        names = tuple(f"{player.name}.{term.name}" for term, _, _ in active)
        if not active:
            return False
        for index, rows in enumerate(batches):
            size = player.batch or self.train.batch
            turn = self.turn(rows, size, player.name, repeat, index, shares[index] if shares else None)
            turn.seen = [] if self.logged else None
            losses = []
            total: Any = 0.0
            with draw.using(turn.draws), self.autocast:
                for term, compute, weight in active:
                    loss = first(compute(turn))
                    if turn.seen:
                        self.meters.note(f"{player.name}.{term.name}", diagnostics.confidence(turn.seen), self.step)
                        turn.seen.clear()
                    factor = weight(state.schedules.count) if callable(weight) else weight
                    losses.append(loss)
                    rarer = math.lcm(term.every, player.every) // player.every  # than the player's turns
                    total = total + (term.factor * factor * rarer) * loss
            note(names, losses, self.step)
            total = total / len(batches) if len(batches) > 1 else total
            try:
                if turn.shared is not None and player.name in turn.shared.waiting:  # others go back on the same graph
                    turn.shared.waiting.remove(player.name)
                    total.backward(inputs=state.own, retain_graph=bool(turn.shared.waiting))
                else:
                    total.backward()
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise self.blamed(error, player, turn, [term for term, _, _ in active], losses) from error
        return True

    def blamed(
        self, error: RuntimeError, player: Player, turn: Turn, terms: list[Term], losses: list[torch.Tensor]
    ) -> EvaluationError:
        """What to say of a backward pass that failed: alone, this process computes the terms again, whose graphs are
        gone in part, and tries each."""
        own = self.players[player.name].own
        if self.world == 1:
            again = Turn(turn.batch, turn.n, turn.step, turn.draws, turn.player)
            with draw.using(turn.draws), self.autocast:
                losses = [first(self.program.value(term, term.body)(again)) for term in terms]
        return backward.failed(error, player.name, list(zip(terms, losses, strict=True)), own, self.spec)

    def look(self, batches: graphs.Batches) -> None:
        """Compute what ``log:`` asks for, on the batch of the step that ends."""
        turns = [self.turn(rows, self.train.batch, "log", 0, index, None) for index, rows in enumerate(batches)]
        for turn in turns:
            turn.player = ""
        found = self.watch.read(turns, self.device, self.autocast, lambda: self.seed_with("log", self.step, self.rank))
        self.meters.note("", found, self.step)

    def update(self, player: Player) -> None:
        """One player's step, from the gradients it has."""
        state = self.players[player.name]
        distributed.average_gradients(state.own, player.name)
        norm = shards.clip(state.own, player.clip) if player.clip is not None else None
        if self.logged:
            self.meters.note(
                player.name, {"gradient": diagnostics.gradient(state.own) if norm is None else norm}, self.step
            )
            if self.gradients is not None:
                self.gradients |= diagnostics.gradients(self.parts, player.trains)
        light.step(state.optimizer)
        for constraint, bound in state.after:
            for part in bound:
                constraint.after_step(part)
        if state.ema is not None:
            state.ema.update()

    def see(self, find: Callable[[str], float | None]) -> None:
        """Tell the schedules that go by something what is new; `find` gives a value that was computed, by its name."""
        for name in self.phase.players:
            self.players[name].see(find)

    # -- state -----------------------------------------------------------------------------------------------------

    def whole(self, names: Collection[str]) -> tuple[dict[str, Any], dict[str, nn.Module]]:
        """All parts and the averaged copies, those with these names whole; all processes must ask for it."""
        parts, averages = dict(self.parts), self.averages()
        for found in (averages, parts):
            for name in sorted(found.keys() & self.shards.blanks.keys() & set(names)):  # in the same order everywhere
                if found is averages or name not in averages:  # which stand in for the parts
                    found[name] = self.shards.whole(name, found[name])
        return parts, averages

    def averages(self) -> dict[str, nn.Module]:
        """The averaged copies, by part."""
        return {name: part for state in self.players.values() if state.ema for name, part in state.ema.parts.items()}

    def rates(self) -> dict[str, float]:
        """The learning rate of each player."""
        return {f"{name}.lr": self.players[name].optimizer.param_groups[0]["lr"] for name in self.phase.players}

    def finite(self) -> bool:
        """Whether every parameter and buffer is finite, on every process. Waits for the device."""
        modules = [part for part in self.parts.values() if isinstance(part, nn.Module)]
        tensors = [t for module in modules for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()]
        good = not tensors or bool(torch.stack([torch.isfinite(shards.local(t)).all() for t in tensors]).all().item())
        return not distributed.agree(not good)

    def average_buffers(self) -> None:
        """Let any process speak for all: running statistics become their means over the processes."""
        modules = [part for part in self.parts.values() if isinstance(part, nn.Module)]
        distributed.average_buffers([*modules, *self.averages().values()])

    def restart_averages(self) -> None:
        """Begin the averages anew, at the parts as they are now."""
        for state in self.players.values():
            if state.ema is not None:
                state.ema.restart()

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs: tensors and plain values."""
        self.average_buffers()
        return {
            "step": self.step,
            "phase": self.phase.name,
            "phase_step": self.phase_step,
            "cursor": self.feed.cursor,
            "parts": {n: part.state_dict() for n, part in self.parts.items() if isinstance(part, nn.Module)},
            "players": {name: state.state_dict() for name, state in self.players.items()},
            "meters": self.meters.state_dict(),
        }

    def load_state_dict(
        self, state: dict[str, Any], read: Reading = lambda missing: None, changed: bool = False
    ) -> None:
        """Go on exactly from a saved state.

        Args:
            state: What :meth:`state_dict` gave, here or in another number of processes. Tensors on meta lie elsewhere.
            read: Fills those, or the pieces of them that belong here, which it is given by their paths in the state.
            changed: Whether optimizers go on with the hyperparameters of the model, and not with those of the state.
        """
        state = {**state, "parts": self.cut(state, "parts", read)}
        for name, saved in state["parts"].items():
            self.parts[name].load_state_dict(saved)
        self.players = {}
        for phase in self.spec.phases.values():  # players begin each phase as they did then
            self.enter(phase)
            if phase.name == state["phase"]:
                break
        for name, saved in self.cut(state, "players", read).items():
            self.players[name].load_state_dict(saved, changed)
        self.step, self.phase_step = state["step"], state["phase_step"]
        self.feed.cursor = state["cursor"]
        self.meters.load_state_dict(state["meters"])

    def cut(self, state: dict[str, Any], key: str, read: Reading) -> Any:
        """One entry of a saved state with pieces where this process holds pieces, and all that was missing read."""
        found = shards.mapped(lambda path, tensor: shards.cut(tensor, self.place(path)), state[key], (key,))
        tensors = shards.flat(found, (key,))
        read({path: tensors[path] for path, tensor in shards.flat(state[key], (key,)).items() if tensor.is_meta})
        return found

    def place(self, path: tuple[Any, ...]) -> torch.Tensor | None:
        """The parameter to which a tensor of a saved state belongs, if it belongs to one."""
        match path:
            case ("parts", part, name) | ("players", _, "ema", "parts", part, name):
                return dict(self.parts[part].named_parameters()).get(name)
            case ("players", player, "optimizer", "state", index, _):
                groups = self.players[player].optimizer.param_groups
                return [parameter for group in groups for parameter in group["params"]][index]
        return None
