"""
The network where namespaces are not permitted: TCP connections between regions pass through here, and each direction between two regions can be
delayed or cut. Streams, not packets: loss, reordering and damage are beyond it.
"""

import collections
import heapq
import itertools
import queue
import selectors
import socket
import threading
import time

PIECE = 1 << 17
HELD_MAX = 4 << 20  # bytes under way per connection and direction; then the sender waits, as on a full line


class Way:
    """One direction between two regions."""

    def __init__(self):
        self.cut, self.delay = False, 0.0


class Side:
    """One end of a forwarded connection; what waits to be sent to it."""

    def __init__(self, sock, way, back):
        self.sock, self.way, self.back = sock, way, back  # way: that of the bytes that this side sends
        self.other, self.ended = None, False
        self.waiting = collections.deque()  # (due, bytes); b"": the end
        self.held = 0


class Proxy:
    """One thread forwards everything; tell() steers it."""

    def __init__(self):
        self.ways = collections.defaultdict(Way)
        self.listeners, self.sides, self.timers = {}, {}, []
        self.told, self.numbers = queue.SimpleQueue(), itertools.count()
        self.wake_in, self.wake_out = socket.socketpair()
        self.wake_in.setblocking(False)
        self.chosen = selectors.DefaultSelector()
        self.chosen.register(self.wake_in, selectors.EVENT_READ)
        self.ending = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def listen(self, near, far, port):
        """A port through which `near` reaches `far`, which listens on `port`."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        listener.setblocking(False)
        self.tell(("listen", near, far, port, listener))
        return listener.getsockname()[1]

    def tell(self, what):
        self.told.put(what)
        self.wake_out.send(b"x")

    def close(self):
        self.tell(("end",))
        self.thread.join(5)

    # --- in the thread ---

    def _run(self):
        while not self.ending:
            wait = None
            if self.timers:
                wait = max(0.0, self.timers[0][0] - time.monotonic())
            for key, events in self.chosen.select(wait):
                if key.fileobj is self.wake_in:
                    self.wake_in.recv(4096)
                    while not self.told.empty():
                        self._obey(*self.told.get())
                elif key.fileobj in self.listeners:
                    self._accept(key.fileobj)
                elif key.fileobj in self.sides:
                    self._move(self.sides[key.fileobj], events)
            while self.timers and self.timers[0][0] <= time.monotonic():
                _, _, side = heapq.heappop(self.timers)
                if side.sock in self.sides:
                    self._send(side)
        for sock in [*self.sides, *self.listeners, self.wake_in, self.wake_out]:
            sock.close()

    def _obey(self, word, *rest):
        if word == "end":
            self.ending = True
        elif word == "listen":
            near, far, port, listener = rest
            self.listeners[listener] = (near, far, port)
            self.chosen.register(listener, selectors.EVENT_READ)
        else:
            way = self.ways[rest[0], rest[1]]
            if word == "delay":
                way.delay = rest[2]
            else:
                way.cut = word == "cut"
            for side in list(self.sides.values()):
                if word == "heal" and side.sock in self.sides and way in (side.way, side.back):
                    self._drop(side)  # what was swallowed cannot come back: both ends try again
                elif side.sock in self.sides:
                    self._watch(side)

    def _accept(self, listener):
        near, far, port = self.listeners[listener]
        try:
            client, _ = listener.accept()
        except OSError:
            return
        there, back = self.ways[near, far], self.ways[far, near]
        server = None
        if not there.cut and not back.cut:
            try:
                server = socket.create_connection(("127.0.0.1", port), timeout=2)
            except OSError:
                client.close()
                return
        one = Side(client, there, back)
        self.sides[client] = one
        if server is not None:
            two = Side(server, back, there)
            one.other, two.other = two, one
            self.sides[server] = two
        for side in (one, one.other):
            if side is not None:
                side.sock.setblocking(False)
                side.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._watch(side)

    def _watch(self, side):
        events = 0
        if side.other is not None and not side.ended and not side.way.cut and side.other.held < HELD_MAX:
            events |= selectors.EVENT_READ
        if side.waiting and side.waiting[0][0] <= time.monotonic() and not (side.other and side.other.way.cut):
            events |= selectors.EVENT_WRITE
        registered = side.sock in self.chosen.get_map()
        if events and registered:
            self.chosen.modify(side.sock, events)
        elif events:
            self.chosen.register(side.sock, events)
        elif registered:
            self.chosen.unregister(side.sock)

    def _move(self, side, events):
        if events & selectors.EVENT_WRITE:
            self._send(side)
        if events & selectors.EVENT_READ and side.sock in self.sides and side.other is not None:
            try:
                piece = side.sock.recv(PIECE)
            except BlockingIOError:
                return
            except OSError:
                self._drop(side)
                return
            side.ended = piece == b""
            due = time.monotonic() + side.way.delay
            side.other.waiting.append((due, piece))
            side.other.held += len(piece)
            heapq.heappush(self.timers, (due, next(self.numbers), side.other))
            self._watch(side)

    def _send(self, side):
        while side.waiting and side.waiting[0][0] <= time.monotonic() and not (side.other and side.other.way.cut):
            due, piece = side.waiting[0]
            if piece == b"":
                self._drop(side)
                return
            try:
                sent = side.sock.send(piece)
            except BlockingIOError:
                break
            except OSError:
                self._drop(side)
                return
            side.held -= sent
            if sent < len(piece):
                side.waiting[0] = (due, piece[sent:])
                break
            side.waiting.popleft()
        self._watch(side)
        if side.other is not None and side.other.sock in self.sides:
            self._watch(side.other)

    def _drop(self, side):
        for end in (side, side.other):
            if end is None or end.sock not in self.sides:
                continue
            del self.sides[end.sock]
            if end.sock in self.chosen.get_map():
                self.chosen.unregister(end.sock)
            end.sock.close()
