"""A bad disk for one process: fault.c preloaded, its rules written from here while the process runs."""

import ctypes
import errno
import mmap
import pathlib
import shutil
import struct
import subprocess

SOURCE = pathlib.Path(__file__).with_name("fault.c")
RULES, RULE = 16, struct.Struct("=iiqqq96s")  # fault.c's struct rule
WRITE_FAILS, SYNC_FAILS, READ_FAILS, WRITE_SHORT, SYNC_LOSES = 1, 2, 3, 4, 5


class Disk:
    """The rules of one disk."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
        assert compiler, "no C compiler for the shim"
        self.library, self.control = folder / "fault.so", folder / "faults"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", self.library, SOURCE, "-ldl", "-lpthread"], check=True)
        self.control.write_bytes(bytes(RULES * RULE.size))
        with open(self.control, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), RULES * RULE.size)

    @property
    def environment(self):
        return {"LD_PRELOAD": str(self.library), "TIDEMARK_FAULTS": str(self.control)}

    def rule(self, what, match, error=errno.EIO, after=0, times=-1):
        """A new rule; its number."""
        for number in range(RULES):
            at = number * RULE.size
            if RULE.unpack_from(self.page, at)[0] == 0:
                RULE.pack_into(self.page, at, 0, error, after, times, 0, str(match).encode())
                ctypes.c_int32.from_buffer(self.page, at).value = what  # last: from now on it holds
                return number
        raise AssertionError("too many rules")

    def struck(self, number):
        return RULE.unpack_from(self.page, number * RULE.size)[4]

    def mend(self):
        """Take all rules back: the disk is sound, or has room, again."""
        for number in range(RULES):
            ctypes.c_int32.from_buffer(self.page, number * RULE.size).value = 0

    def full(self, match):
        """No more room in a folder."""
        return self.rule(WRITE_FAILS, match, errno.ENOSPC)
