"""The meeting under every fault that we could think of, thousands of times a minute.

`make simulate` runs schedules with fresh seeds until its time is over. A schedule is one meeting of 3 to
12 devices in simulated time: real sessions over real MLS, carried by a service that delays, loses, forks,
lies and hides, with members that crash, jump in time or are malicious. What must hold whatever happens
stands in `invariants_*`; it is looked at after every step that changes something, and each counts how
often it had something to look at. A broken one ends the run with the seed and a trace; the same seed
gives the same schedule again, step by step.

    loop        simulated time                      people      the cast, certificates, trust stores
    network     delay, loss, order, partition       carrier     the service, honest and not
    device      a device: session, keys, media      insider     a device whose owner keeps to no rule
    faults      what goes wrong, and for how long   director    what people do, and when it is over
    truth       what the simulation knows           invariants_*  what must always hold
    world       one schedule                        runner      many of them, on two cores

Most schedules run with `fast_crypto`: fast, deterministic, and safe only against an adversary that acts
through the interfaces, as all in here do. Every few run with the real cryptography.
"""
