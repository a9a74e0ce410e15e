"""Advisory locks on whole files: they end with the process that holds them, however it ends."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt
    import os

    _FAR = 2**31 - 2  # a byte that no segment reaches: a lock on Windows keeps readers out of it

    def try_lock(fd: int) -> bool:
        """Lock an open file for this descriptor alone, without waiting.

        Returns:
            False when another process holds a lock on it.
        """
        here = os.lseek(fd, 0, os.SEEK_CUR)
        try:
            os.lseek(fd, _FAR, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, here, os.SEEK_SET)
        return True
else:
    import fcntl

    def try_lock(fd: int) -> bool:
        """Lock an open file for this descriptor alone, without waiting.

        Returns:
            False when another process holds a lock on it.
        """
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
