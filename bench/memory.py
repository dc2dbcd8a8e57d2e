"""Memory that is there when a round begins to fill the page cache.

A virtual machine may have a host that takes free memory back (Linux: /sys/module/page_reporting).  Whoever fills such memory
first pays for getting it again, as CPU time of its own: some 1 s a GiB here, more than a broker's whole work on the same
bytes.  Which of the brokers that is, chance decides.  So before each round of produce/* several times what it fills is
touched and let go of, whichever broker is next (with just as much the first rounds were still twice as dear).  Owns nothing
else; where no host takes memory back this costs some seconds a round and changes nothing."""
import ctypes, mmap

import machine


def touch(mib):
    """fill so much memory, and free it: what was freed last is handed out first.  At most half of what can be had"""
    available = (machine.field("/proc/meminfo", "MemAvailable") or "0").split()[0]
    mib = min(mib, int(available) // 2048)
    if mib <= 0:
        return
    block = mmap.mmap(-1, mib << 20)
    # Huge pages would be reported to the host as they are, the sooner.
    block.madvise(getattr(mmap, "MADV_NOHUGEPAGE", mmap.MADV_NORMAL))
    start = ctypes.c_char.from_buffer(block)
    ctypes.memset(ctypes.byref(start), 1, mib << 20)
    del start
    block.close()
