"""What platforms do in their own ways with files that several processes use: locks, replacing.

Locks are on whole files, and end with the process that holds them, however it ends.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt
    import os
    import time

    _PATIENCE_S = 1.0
    _POLL_S = 0.001
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

    def lock_new(fd: int) -> bool:
        """Lock a file that was just made, under the name by which others find it.

        Returns:
            False when another process goes on holding a lock on it, which a reader does not.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while not (locked := try_lock(fd)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return locked

    def replace(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
        """Put a file in the place of another, which somebody may be reading at the moment.

        Raises:
            OSError: It cannot be done.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                os.replace(source, target)
                return
            except PermissionError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_POLL_S)
else:
    import fcntl
    from os import replace as replace

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

    # Others find a new file by its name only when it is locked and renamed.
    lock_new = try_lock
