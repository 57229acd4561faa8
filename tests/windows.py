"""Run tfcourse where its modules see Windows: ``python -m tests.windows COMMAND``.

To tfcourse, and to nothing else, `sys.platform` is "win32", and the modules and the functions of
`os` and `signal` that Windows lacks are missing. Without a command every module is imported.
"""

import builtins
import importlib
import os
import pkgutil
import signal
import sys
import types

__all__ = ["main"]

# From Python's documentation, "Availability: Unix".
MODULES = {
    *("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline", "curses"),
    *("posix", "_posixsubprocess", "_posixshmem"),
}
ATTRIBUTES = {
    "os": {
        *(
            "fork",
            "forkpty",
            "register_at_fork",
            "setsid",
            "getsid",
            "killpg",
            "getpgrp",
            "getpgid",
        ),
        *("setpgid", "tcgetpgrp", "tcsetpgrp", "getuid", "geteuid", "getgid", "getegid", "setuid"),
        *(
            "getgroups",
            "nice",
            "getpriority",
            "setpriority",
            "getloadavg",
            "wait",
            "wait3",
            "wait4",
        ),
        *("sched_getaffinity", "sched_setaffinity", "sysconf", "uname", "statvfs", "fstatvfs"),
        *("mkfifo", "mknod", "chown", "lchown", "fchown", "chroot", "pread", "pwrite", "openpty"),
        *("posix_fallocate", "posix_fadvise", "posix_spawn", "sendfile", "ttyname", "fchdir"),
        *("WIFEXITED", "WEXITSTATUS", "WIFSIGNALED", "WTERMSIG", "WNOHANG", "fdatasync", "sync"),
        *("O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "O_SYNC", "ctermid", "getxattr"),
    },
    "signal": {
        *("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGSTOP", "SIGCONT"),
        *(
            "SIGQUIT",
            "SIGPIPE",
            "SIGTSTP",
            "SIGTTIN",
            "SIGTTOU",
            "SIGPROF",
            "SIGVTALRM",
            "SIGWINCH",
        ),
        *("alarm", "setitimer", "getitimer", "ITIMER_REAL", "pause", "pthread_kill"),
        *("pthread_sigmask", "sigwait", "sigwaitinfo", "sigtimedwait", "sigpending"),
        *("SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK", "siginterrupt"),
    },
}


class Seen(types.ModuleType):
    """A module as tfcourse sees it: some attributes missing, others with values of their own."""

    def __init__(self, module, missing=(), **values):
        own = {"_module": module, "_missing": frozenset(missing), "_values": values}
        super().__init__(module.__name__)
        vars(self).update(own)

    def __getattr__(self, name):
        if name in self._missing:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return self._values.get(name, getattr(self._module, name))

    def __setattr__(self, name, value):
        setattr(self._module, name, value)


SEEN = {
    "os": Seen(os, ATTRIBUTES["os"], name="nt"),
    "signal": Seen(signal, ATTRIBUTES["signal"]),
    "sys": Seen(sys, platform="win32"),
}
_import = builtins.__import__


def _import_as_on_windows(name, globals=None, locals=None, fromlist=(), level=0):
    if not str((globals or {}).get("__name__")).startswith("tfcourse"):
        return _import(name, globals, locals, fromlist, level)
    if name.partition(".")[0] in MODULES:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return SEEN.get(name) or _import(name, globals, locals, fromlist, level)


def main(command):
    """Run a command of tfcourse, or import every module of it."""
    builtins.__import__ = _import_as_on_windows
    if command:
        from tfcourse.__main__ import main as run

        sys.argv = ["tfcourse", *command]
        run()
        return
    import tfcourse

    modules = [m.name for m in pkgutil.walk_packages(tfcourse.__path__, "tfcourse.")]
    for module in modules:
        if module != "tfcourse.__main__":
            importlib.import_module(module)
    print(f"{len(modules)} modules")


if __name__ == "__main__":
    main(sys.argv[1:])
