"""One conversation with a CA: blocking requests in worker threads, waiting on the event loop.

All waiting is here, where it can be cancelled and has a deadline. Opening a session also ends an account key
rollover that was cut off: the CA is asked which of the two keys it knows.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from conclave_provisioning.enrollment.account_key import AccountKeys
from conclave_provisioning.enrollment.errors import (
    BadResponseError,
    CaTroubleError,
    EnrollmentCancelledError,
    EnrollmentTimeoutError,
    RefusedError,
    UnreachableError,
)
from conclave_provisioning.enrollment.progress import Progress, Step
from conclave_provisioning.enrollment.settings import AcmeSettings
from conclave_provisioning.enrollment.state import Account, StateDirectory

if TYPE_CHECKING:
    from conclave_provisioning.enrollment.acme_client import AcmeClient
    from conclave_provisioning.enrollment.order import Authorization, Order

FIRST_POLL_S = 0.1
LONGEST_POLL_S = 5.0
MAX_POLL_FAULTS = 4
"""How many times in a row an answer may fail while we only ask how far the CA is."""
_POLL_GROWTH = 1.6

P = ParamSpec("P")
T = TypeVar("T")


class Session:
    """Talks to the settings' CA. For one task at a time; `opened` makes it."""

    def __init__(
        self,
        settings: AcmeSettings,
        state: StateDirectory,
        keys: AccountKeys,
        client: "AcmeClient",
        *,
        deadline: float,
        progress: Callable[[Progress], None],
        cancel: asyncio.Event,
    ) -> None:
        self.settings = settings
        self.state = state
        self.keys = keys
        self.client = client
        self._deadline = deadline
        self._progress = progress
        self._cancel = cancel

    @property
    def left_s(self) -> float:
        """How long it is up to the deadline."""
        return self._deadline - asyncio.get_running_loop().time()

    async def account(self) -> str:
        """The account's URL; it is registered if it is not known for this CA. Raises an `EnrollmentError`."""
        account = self.state.load_account()
        if account is not None and account.directory_url == self.settings.directory_url:
            self.client.use_account(account.url)
            return account.url
        self.tell(Step.ACCOUNT, "registering an account")
        url = await self.step(self.client.register)
        self.state.save_account(Account(self.settings.directory_url, url))
        return url

    def forget_account_if(self, refusal: RefusedError) -> bool:
        """Whether the CA has forgotten the account; then we do too, and may register again."""
        if refusal.problem_type != "accountDoesNotExist":
            return False
        self.state.forget_account()
        return True

    def tell(self, step: Step, text: str) -> None:
        """Shows people how far it is."""
        self._progress(Progress(step, text))

    async def step(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Runs a blocking step in a worker thread, unless cancelled or out of time.

        A thread cannot be stopped: one that is given up ends by its own request's timeout.
        """
        self._raise_if_cancelled()
        try:
            async with asyncio.timeout_at(self._deadline):
                return await asyncio.to_thread(function, *arguments, **options)
        except TimeoutError as error:
            raise self._too_late() from error

    async def pause(self, seconds: float) -> None:
        """Waits. Raises `EnrollmentTimeoutError` at once if the deadline is sooner."""
        if asyncio.get_running_loop().time() + seconds > self._deadline:
            raise self._too_late()
        try:
            await asyncio.wait_for(self._cancel.wait(), seconds)
        except TimeoutError:
            return
        self._raise_if_cancelled()

    async def poll(self, fetch: "Callable[[], S]", *, while_status: set[str]) -> "S":
        """Fetches until the status is another, as often as the CA wants to be asked."""
        wait, faults = FIRST_POLL_S, 0
        while True:
            wanted: float | None = None
            try:
                found = await self.step(fetch)
            except (UnreachableError, CaTroubleError) as error:
                faults += 1
                if faults == MAX_POLL_FAULTS:
                    raise
                wanted = error.retry_after_s if isinstance(error, CaTroubleError) else None
            else:
                faults = 0
                if found.status not in while_status:
                    return found
                wanted = found.retry_after_s
            await self.pause(max(FIRST_POLL_S, wait if wanted is None else wanted))
            wait = min(wait * _POLL_GROWTH, LONGEST_POLL_S)

    async def settle_rollover(self) -> None:
        """Ends a rollover that was cut off. Raises an `EnrollmentError`."""
        new = await asyncio.to_thread(self.keys.next)
        account = self.state.load_account()
        if new is None or (account is not None and account.directory_url != self.settings.directory_url):
            return
        url = await self.step(self.client.find_account, new)
        if url is None:
            # The CA has not heard of it, so the old key stands; the new one serves the next rollover.
            self.client.use_key(await asyncio.to_thread(self.keys.current))
            return
        if account is not None and account.url != url:
            raise BadResponseError(
                "the CA knows the next account key as that of another account",
                hint="remove account-next.key from the device's ACME folder",
            )
        await asyncio.to_thread(self.keys.take_next)
        self.state.save_account(Account(self.settings.directory_url, url))

    def _raise_if_cancelled(self) -> None:
        if self._cancel.is_set():
            raise EnrollmentCancelledError("the enrollment was cancelled", hint="enroll again to go on")

    def _too_late(self) -> EnrollmentTimeoutError:
        return EnrollmentTimeoutError(
            f"the CA did not finish within {self.settings.deadline_s:.0f} s",
            hint="enroll again: the order is kept",
        )


@contextlib.asynccontextmanager
async def opened(
    settings: AcmeSettings,
    state: StateDirectory,
    keys: AccountKeys,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    cancel: asyncio.Event | None = None,
) -> AsyncIterator[Session]:
    """A session whose directory has been fetched. Raises `BusyError` while another one is open."""
    deadline = asyncio.get_running_loop().time() + settings.deadline_s

    def make_client() -> "AcmeClient":
        from conclave_provisioning.enrollment.acme_client import AcmeClient

        return AcmeClient(settings, keys.current())

    with state.locked():
        client = await asyncio.to_thread(make_client)
        session = Session(
            settings,
            state,
            keys,
            client,
            deadline=deadline,
            progress=progress,
            cancel=cancel or asyncio.Event(),
        )
        try:
            session.tell(Step.ACCOUNT, f"talking to {settings.directory_url}")
            await session.step(client.connect)
            await session.settle_rollover()
            yield session
        finally:
            # A thread that was given up may still use the connections: then they time out.
            client.close()


if TYPE_CHECKING:
    S = TypeVar("S", Authorization, Order)
