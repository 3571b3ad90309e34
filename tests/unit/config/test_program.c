/* How a daemon ends: in time, even when its clean stop hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/program.h"

static void *
hang(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

/* A child that stops as daemons do: alarms blocked, another thread waiting for ever. */
static pid_t
start_child(void)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		pthread_t other;
		sigset_t alarms;

		sigemptyset(&alarms);
		sigaddset(&alarms, SIGALRM);
		pthread_sigmask(SIG_BLOCK, &alarms, NULL);
		program_stop_within(1);
		if (pthread_create(&other, NULL, hang, NULL) != 0)
			_exit(2);
		pthread_join(other, NULL);
		_exit(4);
	}
	return child;
}

static void
a_stop_that_hangs_is_ended_with_status_0(void **state)
{
	pid_t child = start_child();
	int status;

	(void)state;
	assert_int_equal(waitpid(child, &status, 0), child); /* the test's own time bounds it */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stop_that_hangs_is_ended_with_status_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
