"""A process whose system calls that write are stopped, counted and made to fail. Linux on x86-64, by ptrace(2)."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import shutil
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from errno import EIO, ENOSPC, EROFS
from pathlib import Path

TRACEME, CONTINUE, GETREGS, SETREGS, SYSCALL, SETOPTIONS = 0, 7, 12, 13, 24, 0x4200
# EXITKILL; TRACESYSGOOD, FORK, VFORK, CLONE, EXEC, SECCOMP
OPTIONS = 1 << 20 | 1 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 7
WALL, SECCOMP_EVENT = 0x40000000, 7
WRITES = {1: "write", 18: "pwrite", 20: "writev", 296: "pwritev", 77: "ftruncate", 74: "fsync", 75: "fdatasync"}
PATHS = {  # the name, and which argument is the path
    **{76: ("truncate", 0), 83: ("mkdir", 0), 84: ("rmdir", 0), 85: ("creat", 0), 82: ("rename", 0), 87: ("unlink", 0)},
    **{258: ("mkdir", 1), 263: ("unlink", 1), 264: ("rename", 1), 316: ("rename", 1), 86: ("link", 1), 88: ("link", 1)},
}
OPENS = {2: ("open", 0), 257: ("open", 1)}  # the next argument holds the flags
FOR_WRITING = 0o3 | os.O_CREAT | os.O_TRUNC
KINDS = ("kill before", "kill after", "kill within", "full", "full within", "read-only", "broken", "vanish")

REGISTERS = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax "
REGISTERS += "rip cs eflags rsp ss fs_base gs_base ds es fs gs"

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def _allowed() -> bool:
    """Whether a process may be traced here, which containers can forbid."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    pid = os.fork()
    if pid == 0:
        os._exit(bool(libc.ptrace(TRACEME, 0, None, None)))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


AVAILABLE = _allowed()


class Registers(ctypes.Structure):
    """``struct user_regs_struct``."""

    _fields_ = [(name, ctypes.c_ulong) for name in REGISTERS.split()]


@dataclass(frozen=True)
class Fault:
    """What is done at which of the calls that write.

    ``kill before``, ``after`` or ``within`` a call (half of a write is done); ``full``, from that call on, which in
    ``full within`` is half done; ``read-only`` from that call on; ``broken``: that call alone fails with EIO;
    ``vanish``: the folder `vanishing`, or that of the call's file, is removed before it.
    """

    kind: str
    at: int
    vanishing: Path | None = None


@dataclass
class Outcome:
    """How a process ended: its exit code, or minus its signal; what it said; its calls, each a name and a path."""

    code: int = 0
    said: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)


def run(work: Callable[[], None], root: Path, fault: Fault | None = None) -> Outcome:
    """Fork a process that does `work`, and do what `fault` says at one of the calls that write below `root`."""
    said = root.with_name(f"{root.name}.said")
    pid = os.fork()
    if pid == 0:
        _child(work, said)
    return _Tracer(pid, os.path.realpath(root), fault).followed(said)


def _child(work: Callable[[], None], said: Path) -> None:
    code = 1
    gc.disable()  # it would touch, and so copy, all memory
    try:
        os.setpgid(0, 0)
        place = os.open(said, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND, 0o600)
        os.dup2(place, 1)
        os.dup2(place, 2)
        if libc.ptrace(TRACEME, 0, None, None):
            raise OSError(ctypes.get_errno(), "ptrace is not allowed here")
        os.kill(os.getpid(), signal.SIGSTOP)
        _filter()
        work()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _filter() -> None:
    """From here on the calls that may write stop this process, and no others do; see seccomp(2)."""
    trace, allow = 0x7FF00000, 0x7FFF0000
    load, equal, any_bit, give = 0x20, 0x15, 0x45, 0x06
    code = [(load, 0, 0, 4), (equal, 1, 0, 0xC000003E), (give, 0, 0, allow), (load, 0, 0, 0)]
    for number in (*WRITES, *PATHS):
        code += [(equal, 0, 1, number), (give, 0, 0, trace)]
    for number, (_, argument) in OPENS.items():
        code += [(equal, 0, 4, number), (load, 0, 0, 16 + 8 * (argument + 1)), (any_bit, 0, 1, FOR_WRITING)]
        code += [(give, 0, 0, trace), (give, 0, 0, allow)]
    code.append((give, 0, 0, allow))
    packed = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(packed)))
    libc.prctl(38, 1, 0, 0, 0)
    if libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp is not allowed here")


class _Tracer:
    """The parent's side: waits for the stops of a process and of its threads and children."""

    def __init__(self, pid: int, root: str, fault: Fault | None):
        self.pid, self.root, self.fault = pid, root, fault
        self.outcome = Outcome()
        self.failing: str | None = None
        self.within: set[int] = set()  # who runs to the end of a call, then is killed

    def followed(self, said: Path) -> Outcome:
        """Until nothing of it is left."""
        begun = False
        while True:
            try:
                who, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                break
            if not os.WIFSTOPPED(status):
                if who == self.pid:
                    self.outcome.code = os.waitstatus_to_exitcode(status)
                continue
            if not begun:
                begun = True
                libc.ptrace(SETOPTIONS, who, None, OPTIONS)
                libc.ptrace(CONTINUE, who, None, None)
                continue
            signum, event = os.WSTOPSIG(status), status >> 16
            if event == SECCOMP_EVENT:
                self.call(who)
            elif signum == signal.SIGTRAP | 0x80:
                self.ended(who)
            else:
                ours = event or signum in (signal.SIGSTOP, signal.SIGTRAP)
                libc.ptrace(CONTINUE, who, None, None if ours else signum)
        self.outcome.said = said.read_text(errors="replace")
        said.unlink()
        return self.outcome

    def call(self, who: int) -> None:
        """A call that may write is about to begin."""
        registers = Registers()
        libc.ptrace(GETREGS, who, None, ctypes.byref(registers))
        number = registers.orig_rax
        name, path = self.what(who, number, registers)
        if path != self.root and not path.startswith(self.root + "/"):
            libc.ptrace(CONTINUE, who, None, None)
            return
        self.outcome.calls.append((name, os.path.relpath(path, self.root)))
        fault = self.fault
        here = fault is not None and len(self.outcome.calls) - 1 == fault.at
        if fault is not None and here and self.hit(who, name, path, registers, fault):
            return
        self.refuse(who, name, path, registers)
        libc.ptrace(CONTINUE, who, None, None)

    def hit(self, who: int, name: str, path: str, registers: Registers, fault: Fault) -> bool:
        """Do what is to be done at this call; whether the process was told to go on, or killed."""
        if name in ("write", "pwrite") and fault.kind.endswith("within"):
            registers.rdx //= 2
            libc.ptrace(SETREGS, who, None, ctypes.byref(registers))
        if fault.kind == "kill before":
            os.killpg(self.pid, signal.SIGKILL)
            return True
        if fault.kind in ("kill after", "kill within"):
            self.within.add(who)
            libc.ptrace(SYSCALL, who, None, None)
            return True
        if fault.kind == "full within":
            self.failing = "full"
            libc.ptrace(CONTINUE, who, None, None)
            return True
        if fault.kind == "vanish":
            folder = os.path.dirname(path)
            inside = folder.startswith(self.root + "/")
            shutil.rmtree(fault.vanishing or (folder if inside else path), ignore_errors=True)
        self.failing = {"vanish": None}.get(fault.kind, fault.kind)
        return False

    def refuse(self, who: int, name: str, path: str, registers: Registers) -> None:
        """Make a call fail, if it would on such a disk."""
        number = 0
        if self.failing == "broken":
            self.failing, number = None, EIO
        elif self.failing == "full":
            makes = name in ("mkdir", "creat", "link") or (name == "open" and not os.path.lexists(path))
            number = ENOSPC if makes or "write" in name else 0
        elif self.failing == "read-only":
            number = EROFS if "write" not in name and "sync" not in name else 0
        if number:
            registers.orig_rax = ctypes.c_ulong(-1).value
            registers.rax = ctypes.c_ulong(-number).value
            libc.ptrace(SETREGS, who, None, ctypes.byref(registers))

    def ended(self, who: int) -> None:
        """A call has ended."""
        if who in self.within:
            os.killpg(self.pid, signal.SIGKILL)
        else:
            libc.ptrace(CONTINUE, who, None, None)

    def what(self, who: int, number: int, registers: Registers) -> tuple[str, str]:
        """The name of a call, and the path of its file."""
        arguments = registers.rdi, registers.rsi, registers.rdx
        if number in WRITES:
            return WRITES[number], os.readlink(f"/proc/{who}/fd/{arguments[0]}").removesuffix(" (deleted)")
        name, place = (PATHS | OPENS)[number]
        path = self.text(who, arguments[place])
        if not path.startswith("/"):
            folder = ctypes.c_int(arguments[0]).value if place == 1 and name != "link" else -100
            path = os.path.join(os.readlink(f"/proc/{who}/{'cwd' if folder == -100 else f'fd/{folder}'}"), path)
        return name, os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))

    def text(self, who: int, address: int) -> str:
        with open(f"/proc/{who}/mem", "rb", 0) as memory:
            memory.seek(address)
            return os.fsdecode(memory.read(4096).split(b"\0", 1)[0])
