"""What builds of machines share: programs that must succeed, a cache that two builders may use, packages,
and an initial file system with the kernel's modules in the order in which they load.

    programs.py       run a program; its last words if it fails
    cache.py          the user's cache: one builder at a time, whole results only
    content.py        hashes of what a result is made of
    initial_files.py  writes an initial file system
    kernel_modules.py which modules a module needs
"""
