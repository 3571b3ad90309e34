#include "replicator/renew.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ARGUMENTS_MAX 32
#define ARGUMENT_BYTES_MAX 8192

bool
renew_somebody_listens(const char *address)
{
	static const char scheme[] = "ipc://";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const char *path = address + sizeof scheme - 1;
	bool listens;
	int fd;

	if (strncmp(address, scheme, sizeof scheme - 1) != 0 || strlen(path) >= sizeof at.sun_path)
		return false;
	strcpy(at.sun_path, path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return false;
	listens = connect(fd, (const struct sockaddr *)&at, sizeof at) == 0;
	close(fd);
	return listens;
}

void
renew_self(void)
{
	static char text[ARGUMENT_BYTES_MAX];
	char *arguments[ARGUMENTS_MAX + 1] = {NULL};
	unsigned n = 0;
	sigset_t none;
	ssize_t got;
	int fd;

	if ((fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC)) < 0)
		return;
	got = read(fd, text, sizeof text - 1);
	close(fd);
	for (ssize_t i = 0; i < got && n < ARGUMENTS_MAX; i += (ssize_t)strlen(text + i) + 1)
		arguments[n++] = text + i;
	/* Closed by exec, not now: the other threads still use them. The mask would outlive them. */
	if (n == 0 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		return;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", arguments);
}
