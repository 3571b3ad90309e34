"""A TCP link that can be cut: what region A reaches region B's replicator through."""

import selectors
import socket
import threading

PIECE = 1 << 18


class Link:
    """Forwards connections from its own port to `target`. One thread; cut() swallows everything, as a broken cable does."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.is_cut = False
        self.wake_in, self.wake_out = socket.socketpair()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def cut(self):
        """Nothing passes any more; neither end is told."""
        self._tell(b"c")

    def heal(self):
        """Connections that were cut are reset, so that both ends try again; new ones pass."""
        self._tell(b"h")

    def close(self):
        self._tell(b"q")
        self.thread.join(5)

    def _tell(self, what):
        try:
            self.wake_out.send(what)
        except OSError:
            pass  # closed already

    def _run(self):
        chosen = selectors.DefaultSelector()
        pairs = {}  # socket -> its other side; None while the link is cut
        waiting = {}  # socket -> bytes not yet taken by it

        def watch(sock):
            events = 0
            other = pairs.get(sock)
            if not self.is_cut:
                # A side whose other side is full is not read: memory stays bounded.
                if other is not None and not waiting.get(other):
                    events |= selectors.EVENT_READ
                if waiting.get(sock):
                    events |= selectors.EVENT_WRITE
            try:
                if events == 0:
                    chosen.unregister(sock)
                else:
                    chosen.modify(sock, events)
            except KeyError:
                if events != 0:
                    chosen.register(sock, events)

        def drop(sock):
            if sock not in pairs:
                return  # gone with its other side
            other = pairs.pop(sock)
            for end in (sock, other):
                if end is None:
                    continue
                pairs.pop(end, None)
                waiting.pop(end, None)
                try:
                    chosen.unregister(end)
                except KeyError:
                    pass
                end.close()

        def accept():
            near, _ = self.listener.accept()
            near.setblocking(False)
            if self.is_cut:
                pairs[near] = None
                return
            try:
                far = socket.create_connection(self.target, timeout=2)
            except OSError:
                near.close()
                return
            far.setblocking(False)
            for sock in (near, far):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pairs[near], pairs[far] = far, near
            watch(near)
            watch(far)

        def pump(sock, events):
            other = pairs.get(sock)
            if events & selectors.EVENT_WRITE and waiting.get(sock):
                sent = sock.send(waiting[sock])
                waiting[sock] = waiting[sock][sent:]
            if events & selectors.EVENT_READ and other is not None:
                piece = sock.recv(PIECE)
                if not piece:
                    drop(sock)
                    return
                try:
                    sent = other.send(piece)
                except BlockingIOError:
                    sent = 0
                waiting[other] = piece[sent:]
            watch(sock)
            if other is not None:
                watch(other)

        chosen.register(self.listener, selectors.EVENT_READ)
        chosen.register(self.wake_in, selectors.EVENT_READ)
        while True:
            for key, events in chosen.select():
                if key.fileobj is self.listener:
                    accept()
                elif key.fileobj is self.wake_in:
                    for what in self.wake_in.recv(64):
                        if what == ord("q"):
                            for sock in list(pairs):
                                drop(sock)
                            self.listener.close()
                            return
                        self.is_cut = what == ord("c")
                        for sock in list(pairs):
                            if self.is_cut:
                                watch(sock)
                            else:
                                drop(sock)
                elif key.fileobj in pairs:
                    try:
                        pump(key.fileobj, events)
                    except BlockingIOError:
                        pass
                    except OSError:
                        drop(key.fileobj)
