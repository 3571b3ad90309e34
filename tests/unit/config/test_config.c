/* Configuration files: what is read, what is refused and where the message points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

#include <stdio.h>
#include <string.h>

#define HEAD "region = \"us-east-1\";\nnumber = 1;\ndata = \"/tmp/x\";\n"

struct scratch {
	char path[64];
};

static int
setup(void **state)
{
	struct scratch *s = calloc(1, sizeof *s);
	int fd;

	assert_non_null(s);
	strcpy(s->path, "/tmp/test_config_XXXXXX");
	fd = mkstemp(s->path);
	assert_true(fd >= 0);
	close(fd);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct scratch *s = *state;

	unlink(s->path);
	free(s);
	return 0;
}

static tide_err
load(struct scratch *s, const char *text, struct config *out, struct tide_error *error)
{
	FILE *file = fopen(s->path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
	return config_load(s->path, out, error);
}

static void
a_short_file_gets_the_documented_defaults(void **state)
{
	static struct config c;
	struct tide_error error;

	assert_int_equal(load(*state, HEAD, &c, &error), TIDE_OK);
	assert_string_equal(c.region, "us-east-1");
	assert_int_equal(c.number, 1);
	assert_string_equal(c.data, "/tmp/x");
	assert_string_equal(c.account, "000000000000");
	assert_int_equal(c.log_level, LOG_INFO);
	assert_string_equal(c.http.host, "127.0.0.1");
	assert_int_equal(c.http.port, 8001);
	assert_in_range(c.http.threads, 1, 8);
	assert_int_equal(c.http.connections_max, 4096);
	assert_int_equal(c.http.idle_seconds, 300);
	assert_int_equal(c.http.memory_mb, 1024);
	assert_string_equal(c.store.plugin, "leveldb");
	assert_int_equal(c.store.cache_mb, 128);
	assert_int_equal(c.store.write_buffer_mb, 64);
	assert_int_equal(c.store.conflict_retention_days, 30);
	assert_string_equal(c.journal.plugin, "segments");
	assert_int_equal(c.journal.segment_mb, 64);
	assert_int_equal(c.journal.checkpoint_mb, 256);
	assert_int_equal(c.journal.retention_hours, 24);
	assert_string_equal(c.replication.listen, "tcp://127.0.0.1:8101");
	assert_string_equal(c.replication.endpoint, "ipc:///tmp/x/endpoint.sock");
	assert_int_equal(c.replication.window, 128);
	assert_int_equal(c.replication.batch_kb, 256);
	assert_int_equal(c.replication.max_clock_skew_ms, 500);
	assert_int_equal(c.replication.n_peers, 0);
	assert_string_equal(c.replication.tls.ca, "");
	assert_string_equal(c.cluster, "tidemark");
}

static void
a_full_file_is_read_whole(void **state)
{
	static const char text[] = HEAD
	    "account = \"123456789012\"; log_level = \"debug\";\n"
	    "http = { listen = \"[::1]:0\"; threads = 3; connections_max = 10; idle_seconds = 5; memory_mb = "
	    "64; };\n"
	    "store = { plugin = \"memory\"; cache_mb = 1; write_buffer_mb = 2; conflict_retention_days = 7; "
	    "};\n"
	    "journal = { plugin = \"memory\"; segment_mb = 3; checkpoint_mb = 4; retention_hours = 48; };\n"
	    "replication = { listen = \"tcp://127.0.0.1:7\"; endpoint = \"ipc:///tmp/e\"; window = 9; "
	    "batch_kb = 10;\n"
	    "  max_clock_skew_ms = 11;\n"
	    "  peers = ( { region = \"eu-west-1\"; number = 2; address = \"tcp://10.0.0.2:7001\"; },\n"
	    "            { region = \"ap-1\"; number = 255; address = \"tcp://x:1\";\n"
	    "              api = \"http://x:8001\"; bandwidth_kb_per_second = 500; } ); };\n"
	    "cluster = \"test.1\";\n";
	static struct config c;
	struct tide_error error;

	assert_int_equal(load(*state, text, &c, &error), TIDE_OK);
	assert_string_equal(c.account, "123456789012");
	assert_int_equal(c.log_level, LOG_DEBUG);
	assert_string_equal(c.http.host, "::1");
	assert_int_equal(c.http.port, 0);
	assert_int_equal(c.http.threads, 3);
	assert_string_equal(c.store.plugin, "memory");
	assert_int_equal(c.store.conflict_retention_days, 7);
	assert_int_equal(c.journal.retention_hours, 48);
	assert_string_equal(c.replication.endpoint, "ipc:///tmp/e");
	assert_int_equal(c.replication.max_clock_skew_ms, 11);
	assert_int_equal(c.replication.n_peers, 2);
	assert_string_equal(c.replication.peers[0].region, "eu-west-1");
	assert_int_equal(c.replication.peers[1].number, 255);
	assert_string_equal(c.replication.peers[1].replication, "tcp://x:1");
	assert_int_equal(c.replication.peers[0].bandwidth_kb_per_second, 0);
	assert_int_equal(c.replication.peers[1].bandwidth_kb_per_second, 500);
	assert_string_equal(c.replication.peers[0].api, "");
	assert_string_equal(c.replication.peers[1].api, "http://x:8001");
	assert_string_equal(c.cluster, "test.1");
}

static const struct url_case {
	const char *name, *url;
	bool fine;
	const char *host;
	uint16_t port;
} url_cases[] = {
    {"address", "http://10.0.0.2:8001", true, "10.0.0.2", 8001},
    {"name and a slash", "http://db.eu:1/", true, "db.eu", 1},
    {"IPv6", "http://[::1]:65535", true, "::1", 65535},
    {"bare IPv6", "http://::1:80", false, NULL, 0},
    {"no port", "http://h", false, NULL, 0},
    {"port 0", "http://h:0", false, NULL, 0},
    {"port over 65535", "http://h:65536", false, NULL, 0},
    {"port with a sign", "http://h:+1", false, NULL, 0},
    {"path", "http://h:1/x", false, NULL, 0},
    {"path with a colon", "http://h/x:1", false, NULL, 0},
    {"user", "http://a@h:1", false, NULL, 0},
    {"no host", "http://:1", false, NULL, 0},
    {"another scheme", "tcp://h:1", false, NULL, 0},
    {"too long a host", "http://0123456789012345:1", false, NULL, 0},
};

static void
a_url_is_split_into_host_and_port(void **state)
{
	char host[16];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < sizeof url_cases / sizeof url_cases[0]; i++) {
		const struct url_case *c = &url_cases[i];

		print_message("%s\n", c->name);
		assert_int_equal(config_url_split(c->url, host, sizeof host, &port), c->fine);
		if (!c->fine)
			continue;
		assert_string_equal(host, c->host);
		assert_int_equal(port, c->port);
	}
}

static void
certificates_are_read_with_addresses_that_use_them(void **state)
{
	static const char text[] =
	    HEAD "replication = { listen = \"tls+tcp://127.0.0.1:7\";\n"
		 "  tls = { ca = \"a.pem\"; certificate = \"b.pem\"; key = \"b.key\"; };\n"
		 "  peers = ( { region = \"b\"; number = 2; address = \"tls+tcp://x:1\"; } ); };\n";
	static struct config c;
	struct tide_error error;

	assert_int_equal(load(*state, text, &c, &error), TIDE_OK);
	assert_string_equal(c.replication.tls.ca, "a.pem");
	assert_string_equal(c.replication.tls.certificate, "b.pem");
	assert_string_equal(c.replication.tls.key, "b.key");
	assert_string_equal(c.replication.peers[0].replication, "tls+tcp://x:1");
}

#define PEER(region, number) "{ region = \"" region "\"; number = " number "; address = \"tcp://x:1\"; }"
#define LONG_60 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

static const struct refused {
	const char *name, *text, *message; /* `message` must be part of the sentence */
} refused[] = {
    {"not the format", "region = \n", ":2: syntax error"},
    {"nothing", "", "region is missing"},
    {"no number", "region = \"a\"; data = \"b\";", "number is missing"},
    {"unknown key", HEAD "colour = 3;\n", ":4: colour is not a known key"},
    {"unknown key in a group", HEAD "http = {\n ports = 3; };\n", ":5: http.ports is not a known key"},
    {"unknown group", HEAD "https = { threads = 3; };\n", ":4: https is not a known key"},
    {"group as a value", HEAD "http = 3;\n", ":4: http must be a group"},
    {"twice", HEAD "number = 2;\n", ":4: duplicate setting name"},
    {"number as text", HEAD "http = { threads = \"3\"; };\n", ":4: http.threads must be a whole number"},
    {"fraction", HEAD "http = { threads = 1.5; };\n", "http.threads must be a whole number"},
    {"under its range", HEAD "http = { threads = 0; };\n", "http.threads must be between 1 and 64, not 0"},
    {"over its range", HEAD "replication = { window = 129; };\n",
	"replication.window must be between 1 and 128"},
    {"over 32 bits", HEAD "store = { cache_mb = 4294967297L; };\n", "store.cache_mb must be between"},
    {"text as a number", "region = 7;\n", ":1: region must be a string"},
    {"region's letters", "region = \"US_east\";\n", "region must be a region's name"},
    {"region's length", "region = \"" LONG_60 "aaaa\";\n", "region is longer than 63 bytes"},
    {"number over 255", "region = \"a\"; number = 256; data = \"b\";",
	"number must be between 1 and 255, not 256"},
    {"account", HEAD "account = \"12345678901x\";\n", ":4: account must have exactly 12 digits"},
    {"log level", HEAD "log_level = \"loud\";\n", ":4: log_level must be"},
    {"listen without port", HEAD "http = { listen = \"127.0.0.1\"; };\n", "http.listen must be HOST:PORT"},
    {"port over 65535", HEAD "http = { listen = \"h:65536\"; };\n", "a port between 0 and 65535"},
    {"port with a sign", HEAD "http = { listen = \"h:+1\"; };\n", "a port between 0 and 65535"},
    {"bare IPv6", HEAD "http = { listen = \"::1:80\"; };\n", "in brackets"},
    {"plugin", HEAD "store = { plugin = \"rocksdb\"; };\n", "store.plugin must be"},
    {"address", HEAD "replication = { listen = \"127.0.0.1:3\"; };\n",
	"replication.listen must be an address"},
    {"peers not a list", HEAD "replication = { peers = 3; };\n", "replication.peers must be a list"},
    {"peer not a group", HEAD "replication = { peers = ( 3 ); };\n", "replication.peers must be a list of"},
    {"peer's unknown key", HEAD "replication = { peers = ( { name = \"x\"; } ); };\n",
	"a peer has no key name"},
    {"peer without address", HEAD "replication = { peers = ( { region = \"x\"; number = 2; } ); };\n",
	":4: a peer has no address"},
    {"peer with our number", HEAD "replication = { peers = ( " PEER("eu", "1") " ); };\n",
	"this region's own"},
    {"peer with our name", HEAD "replication = { peers = ( " PEER("us-east-1", "2") " ); };\n",
	"this region's own"},
    {"two peers of one number",
	HEAD "replication = { peers = ( " PEER("a", "2") "," PEER("b", "2") " ); };\n", "of another peer"},
    {"two peers of one name", HEAD "replication = { peers = ( " PEER("a", "2") "," PEER("a", "3") " ); };\n",
	"of another peer"},
    {"socket path", "region = \"a\"; number = 1; data = \"/" LONG_60 "/" LONG_60 "\";",
	"too long for a socket"},
    {"cluster", HEAD "cluster = \"a b\";\n", ":4: cluster must be a name"},
    {"no cluster", HEAD "cluster = \"\";\n", ":4: cluster must be a name"},
    {"certificate without key", HEAD "replication = { tls = { ca = \"a\"; certificate = \"b\"; }; };\n",
	"replication.tls needs ca, certificate and key"},
    {"unknown key of tls", HEAD "replication = { tls = { cert = \"a\"; }; };\n",
	":4: replication.tls.cert is not a known key"},
    {"tls as a value", HEAD "replication = { tls = 3; };\n", ":4: replication.tls must be a group"},
    {"tls without certificates", HEAD "replication = { listen = \"tls+tcp://x:1\"; };\n",
	"tls+tcp://x:1 needs certificates"},
    {"certificates without tls",
	HEAD "replication = { tls = { ca = \"a\"; certificate = \"b\"; key = \"c\"; }; };\n",
	"every address must begin with tls+tcp://"},
    {"a peer without tls",
	HEAD "replication = { listen = \"tls+tcp://x:1\"; tls = { ca = \"a\"; certificate = \"b\"; key = "
	     "\"c\"; };\n"
	     "  peers = ( " PEER("b", "2") " ); };\n",
	"not tcp://x:1"},
    {"a peer's API without a port",
	HEAD "replication = { peers = ( { region = \"b\"; number = 2; address = \"tcp://x:1\"; api = "
	     "\"http://h\"; } ); };\n",
	"api must be the URL of an API such as"},
    {"a peer's API over TLS",
	HEAD "replication = { peers = ( { region = \"b\"; number = 2; address = \"tcp://x:1\"; api = "
	     "\"https://h:1\"; } ); };\n",
	"api must be the URL of an API such as"},
    {"bandwidth",
	HEAD "replication = { peers = ( { region = \"b\"; number = 2; address = \"tcp://x:1\";\n"
	     "  bandwidth_kb_per_second = -1; } ); };\n",
	"bandwidth_kb_per_second must be between"},
    {"endpoint's path", HEAD "replication = { endpoint = \"ipc:///" LONG_60 "/" LONG_60 "\"; };",
	"longer than 107"},
};

static void
bad_files_are_refused_with_their_place(void **state)
{
	static struct config c;
	struct tide_error error;

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		memset(&c, 0x5a, sizeof c);
		assert_int_equal(load(*state, refused[i].text, &c, &error), TIDE_USAGE);
		if (strstr(error.message, refused[i].message) == NULL)
			fail_msg("%s: \"%s\" is not in \"%s\"", refused[i].name, refused[i].message,
			    error.message);
		assert_memory_equal(error.message, ((struct scratch *)*state)->path, 10);
		assert_int_equal((unsigned char)c.region[0], 0x5a);
	}
}

static void
more_than_31_peers_are_refused(void **state)
{
	static struct config c;
	static char text[8192];
	struct tide_error error;
	size_t n = (size_t)snprintf(text, sizeof text, HEAD "replication = { peers = (");

	for (int i = 0; i < 32; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "%s{ region = \"r%d\"; number = %d; address = \"tcp://x:1\"; }", i > 0 ? "," : "", i,
		    i + 2);
	snprintf(text + n, sizeof text - n, "); };");
	assert_int_equal(load(*state, text, &c, &error), TIDE_USAGE);
	assert_non_null(strstr(error.message, "more than 31 peers"));
}

static void
a_missing_file_and_a_folder_are_named(void **state)
{
	static struct config c;
	struct tide_error error;

	(void)state;
	assert_int_equal(config_load("/nonexistent/x.conf", &c, &error), TIDE_USAGE);
	assert_string_equal(error.message, "/nonexistent/x.conf: No such file or directory");
	assert_int_equal(config_load("/tmp", &c, &error), TIDE_USAGE);
	assert_string_equal(error.message, "/tmp: Is a directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_short_file_gets_the_documented_defaults, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_full_file_is_read_whole, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		certificates_are_read_with_addresses_that_use_them, setup, teardown),
	    cmocka_unit_test_setup_teardown(bad_files_are_refused_with_their_place, setup, teardown),
	    cmocka_unit_test(a_url_is_split_into_host_and_port),
	    cmocka_unit_test_setup_teardown(more_than_31_peers_are_refused, setup, teardown),
	    cmocka_unit_test(a_missing_file_and_a_folder_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
