/* tidemark-replicator: one region's replicator process. It keeps nothing and may be killed at any time. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "config/program.h"
#include "replicator/daemon.h"

#define STOP_SECONDS 5

int
main(int argc, char **argv)
{
	static struct config config;
	struct program program = {.name = "tidemark-replicator",
	    .summary = "Ships changes between one region's API process and its peers.",
	    .farewell = "close and exit 0 (it holds no state: killing it loses nothing)",
	    .version = TIDEMARK_VERSION};
	struct daemon *daemon = NULL;
	struct tide_error error;
	int status = program_begin(&program, argc, argv, &config);

	if (status >= 0)
		return status;
	if (daemon_start(&config, &daemon, &error) != TIDE_OK ||
	    program_write_pid(&program, &error) != TIDE_OK) {
		fprintf(stderr, "tidemark-replicator: %s\n", error.message);
		if (daemon != NULL)
			daemon_stop(daemon);
		return 1;
	}
	log_info("REPL-READY", "region=%s listen=%s endpoint=%s peers=%u pid=%ld", config.region,
	    config.replication.listen, config.replication.endpoint, (unsigned)config.replication.n_peers,
	    (long)getpid());
	program_wait();
	log_info("REPL-STOPPING", "region=%s", config.region);
	program_stop_within(STOP_SECONDS);
	daemon_stop(daemon);
	program_remove_pid(&program);
	log_info("REPL-STOPPED", "region=%s", config.region);
	return 0;
}
