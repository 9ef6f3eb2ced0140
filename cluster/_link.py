"""The connection to one host: made when first needed, and made again after it broke.

Commands share it by *lanes* (`cluster._lane`), file transfers by sftp sessions; both are
sessions of the one connection, of which sshd allows ten by default (MaxSessions).  Where it
allows fewer, the first refusal is remembered, and commands wait for a lane instead.

A lost connection is an error for whatever was under way, since nobody knows how far it came;
it is never run twice.  What comes next logs in again, and while the host cannot be reached it
tries again after ever longer pauses, for as long as the command may take.  A host that has
never been reached is tried once: there it is the lab file that is wrong, as a rule.

Everything here blocks, and is meant to run in worker threads; every wait has a deadline.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Iterator
from typing import Final

import paramiko

from cluster._host import Completed, HostError
from cluster._labfile import SshSettings
from cluster._lane import Lane
from cluster._login import Login, Unreachable, log_in
from cluster._posix import timed_out

LANES_MAX: Final = 8
_TRANSFERS_MAX: Final = 2
"""Together with the lanes that is what sshd allows."""
RECONNECT_MAX_S: Final = 20.0
LOST_TRY_S: Final = 5.0
"""How long a command tries a host that has been away for longer than `RECONNECT_MAX_S`."""
_PAUSE_FIRST_S: Final = 0.1
_PAUSE_MAX_S: Final = 5.0
_ROOM_S: Final = 0.05
_KILL_TIMEOUT_S: Final = 5.0
_REFUSED: Final = (1, 2)
"""sshd's reasons for no more sessions: administratively prohibited, connect failed."""

_log = logging.getLogger("cluster.ssh")


class Link:
    """The connection to one host.

    Invariant: a lane is either idle in `_idle` or lent to exactly one command, `_lanes` counts
    both and never exceeds `_lanes_max`; a lane whose command did not end in good order is
    closed, never lent again.
    """

    def __init__(self, settings: SshSettings) -> None:
        self.settings = settings
        self._login: Login | None = None
        self._logging_in = threading.Lock()
        self._opening = threading.Lock()
        self._was_in = False
        self._away_since: float | None = None
        self._changed = threading.Condition()
        self._idle: list[Lane] = []
        self._lanes = 0
        self._lanes_max = LANES_MAX
        self._transfers = threading.BoundedSemaphore(_TRANSFERS_MAX)
        self._resting: list[paramiko.SFTPClient] = []
        self._closed = threading.Event()

    def run(
        self,
        argv: tuple[str, ...],
        input: bytes,
        timeout_s: float,
        cancelled: threading.Event,
        *,
        sudo: bool = False,
    ) -> Completed:
        """Run a command on a lane; with `sudo`, killing it when time is up takes sudo, too."""
        deadline = time.monotonic() + timeout_s
        try:
            lane = self._borrow(deadline, cancelled)
        except TimeoutError:
            raise timed_out(self.settings.name, argv, timeout_s) from None
        fit = False
        try:
            done = lane.run(argv, input, deadline, cancelled)
            fit = True
            return done
        except TimeoutError:
            self._kill(lane, sudo)
            raise timed_out(self.settings.name, argv, timeout_s) from None
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self.broken(f"the connection broke during `{argv[0]}`", error) from error
        finally:
            self._give_back(lane, fit=fit)

    @contextlib.contextmanager
    def sftp(self, timeout_s: float) -> Iterator[paramiko.SFTPClient]:
        """A file transfer session; each of its waits is bounded by `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        if not self._transfers.acquire(timeout=timeout_s):
            raise timed_out(self.settings.name, ["sftp"], timeout_s)
        session = None
        try:
            session = self._transfer_session(deadline)
            _channel(session).settimeout(timeout_s)
            yield session
            self._resting.append(session)
            session = None
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self.broken("the file transfer failed", error) from error
        finally:
            if session is not None:
                session.close()
            self._transfers.release()

    def login(self, deadline: float) -> Login:
        """The connection as it stands, made (again) if it does not."""
        if not self._logging_in.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unreachable(
                self.settings.name,
                "another command was still trying to log in when time was up",
                "see whether the host is up",
            )
        try:
            if self._login is not None:
                if self._login.is_active:
                    return self._login
                _log.warning("%s: the connection was lost", self.settings.name)
                self._login.close()
                self._login = None
            login = self._log_in_again(deadline)
            self._login = login
            self._was_in = True
        finally:
            self._logging_in.release()
        if self._closed.is_set():
            login.close()
            self._refuse_closed()
        return login

    def broken(self, what: str, error: BaseException) -> HostError:
        """The error to raise for trouble with this connection."""
        said = str(error) or type(error).__name__
        where = f"{self.settings.user}@{self.settings.address} port {self.settings.port}"
        return HostError(
            self.settings.name,
            f"{what}: {said}",
            f"try `ssh` to {where} by hand, with the same key",
        )

    def close(self) -> None:
        """Close the connection for good."""
        self._closed.set()
        login = self._login
        if login is not None:
            login.close()
        self._resting.clear()
        with self._changed:
            self._idle.clear()
            self._changed.notify_all()

    def _log_in_again(self, deadline: float) -> Login:
        """Log in; where that has succeeded before, try for a while.

        A host that has been away for longer than that is tried once by each command, for else
        every step of a run would wait for a dead host again.
        """
        lost = False
        if self._was_in:
            now = time.monotonic()
            lost = self._away_since is not None and now - self._away_since > RECONNECT_MAX_S
            deadline = min(deadline, now + (LOST_TRY_S if lost else RECONNECT_MAX_S))
        tries, pause_s = 0, _PAUSE_FIRST_S
        while True:
            self._refuse_closed()
            tries += 1
            try:
                login = log_in(self.settings, deadline)
            except Unreachable as error:
                # Not part of the run's choices: hosts of one rack should not all knock at once.
                wait_s = pause_s * random.SystemRandom().uniform(0.5, 1.5)
                if self._away_since is None:
                    self._away_since = time.monotonic()
                if not self._was_in or lost or time.monotonic() + wait_s > deadline:
                    raise
                _log.info("%s: try %d to log in again failed: %s", error.host, tries, error.what)
                self._closed.wait(wait_s)
                pause_s = min(2 * pause_s, _PAUSE_MAX_S)
            else:
                if self._was_in:
                    _log.warning("%s: logged in again at try %d", self.settings.name, tries)
                self._away_since = None
                return login

    def _borrow(self, deadline: float, cancelled: threading.Event) -> Lane:
        """An idle lane, or a new one, or the next that is given back; or `TimeoutError`."""
        while True:
            with self._changed:
                lane = self._idle.pop() if self._idle else None
                if lane is None:
                    if self._lanes >= self._lanes_max:
                        left = deadline - time.monotonic()
                        if left <= 0 or cancelled.is_set():
                            raise TimeoutError
                        self._refuse_closed()
                        self._changed.wait(min(left, 0.5))
                        continue
                    self._lanes += 1
            if lane is not None:
                if lane.usable:
                    return lane
                self._give_back(lane, fit=False)
                continue
            try:
                return self._new_lane(deadline)
            except paramiko.ChannelException as error:
                if not self._make_do(error, deadline):
                    raise self.broken("no session", error) from error
            except BaseException:
                self._forget_lane()
                raise

    def _make_do(self, error: paramiko.ChannelException, deadline: float) -> bool:
        """Sshd has refused a session: from now on there are no more lanes than there are."""
        with self._changed:
            self._lanes -= 1
            if error.code not in _REFUSED:
                return False
            if self._lanes > 0:
                self._lanes_max = self._lanes
                return True
        return self._make_room(deadline)

    def _new_lane(self, deadline: float) -> Lane:
        channel = None
        try:
            channel = self._open_session(deadline)
            return Lane(channel, deadline)
        except (paramiko.ChannelException, TimeoutError):
            if channel is not None:
                channel.close()
            raise
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self.broken("no session", error) from error

    def _open_session(self, deadline: float) -> paramiko.Channel:
        """A session; one after the other, since paramiko may hand a refusal to the wrong one."""
        transport = self.login(deadline).transport
        if not self._opening.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        try:
            return transport.open_session(timeout=max(deadline - time.monotonic(), 0.1))
        finally:
            self._opening.release()

    def _give_back(self, lane: Lane, *, fit: bool) -> None:
        if fit and not self._closed.is_set():
            with self._changed:
                self._idle.append(lane)
                self._changed.notify()
            return
        lane.close()
        self._forget_lane()

    def _forget_lane(self) -> None:
        with self._changed:
            self._lanes -= 1
            self._changed.notify()

    def _kill(self, lane: Lane, sudo: bool) -> None:
        """Kill what a lane still runs; as far as the host lets us."""
        # The shell's own `kill`: that of procps takes `-10` for a signal.
        kill = ("sh", "-c", 'kill -s KILL -- "-$1"', "momus-kill", str(lane.pid))
        command = ("sudo", "-n", "--", *kill) if sudo else kill
        with contextlib.suppress(HostError, OSError, EOFError, paramiko.SSHException):
            deadline = time.monotonic() + _KILL_TIMEOUT_S
            with self._changed:
                helper = self._idle.pop() if self._idle else None
                self._lanes -= helper is not None
            helper = helper or self._new_lane(deadline)
            try:
                helper.run(command, b"", deadline, threading.Event())
            finally:
                helper.close()

    def _transfer_session(self, deadline: float) -> paramiko.SFTPClient:
        """A session that rests, or a new one."""
        while self._resting:
            session = self._resting.pop()
            if not _channel(session).closed:
                return session
        while True:
            try:
                channel = self._open_session(deadline)
                break
            except paramiko.ChannelException as error:
                if error.code not in _REFUSED or not self._make_room(deadline):
                    raise
        channel.settimeout(max(deadline - time.monotonic(), 0.1))
        channel.invoke_subsystem("sftp")
        return paramiko.SFTPClient(channel)

    def _make_room(self, deadline: float) -> bool:
        """Sshd has refused a session: end one that rests, or wait for one to end; False too late.

        It counts a session until its process has ended, a moment after we have closed it.
        """
        with self._changed:
            lane = self._idle.pop() if self._idle else None
        if lane is not None:
            self._give_back(lane, fit=False)
        elif self._resting:
            self._resting.pop().close()
        return time.monotonic() < deadline and not self._closed.wait(_ROOM_S)

    def _refuse_closed(self) -> None:
        if self._closed.is_set():
            raise HostError(self.settings.name, "it was closed", "make the host again")


def _channel(session: paramiko.SFTPClient) -> paramiko.Channel:
    channel = session.get_channel()
    assert channel is not None, "it was made of one"
    return channel
