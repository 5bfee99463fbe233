/* libgearman as client and worker: what a peer is asked and says is in README.md of this folder.
 *
 * A client that waits for one job calls gearman_client_do; one with many in flight adds that many tasks and runs
 * them, which is what the library offers for it. A worker calls gearman_worker_work. Options are the defaults, but
 * that tasks are freed by the library. */
#include <libgearman/gearman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTION "resize"
#define WORKLOAD "{\"photo\":\"2026/11/20/00000001.jpg\",\"width\":1600,\"format\":\"webp\"}"
#define WORKLOAD_BYTES (sizeof WORKLOAD - 1)
#define UNIQUE_BYTES 36

static char *uniques;
static size_t verified;

static void fail(const char *doing, const char *why) {
  fprintf(stderr, "%s: %s\n", doing, why == NULL ? "no reason given" : why);
  exit(1);
}

static size_t number(const char *text) {
  return strtoul(text, NULL, 10);
}

/* Made before anything is measured. */
static void make_uniques(size_t count) {
  uniques = malloc(count * (UNIQUE_BYTES + 1));
  if (uniques == NULL) fail("making uniques", "out of memory");
  for (size_t i = 0; i < count; i++)
    snprintf(uniques + i * (UNIQUE_BYTES + 1), UNIQUE_BYTES + 1, "9f1c2a7e-4b60-4d1c-a%016zu", i);
}

static const char *unique(size_t i) {
  return uniques + i * (UNIQUE_BYTES + 1);
}

static void await_go(void) {
  char line[16];
  puts("ready");
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) exit(0);
}

static void say_done(size_t count) {
  printf("done %zu\n", count);
  fflush(stdout);
}

static void await_end(void) {
  while (getchar() != EOF) {
  }
}

static gearman_return_t complete(gearman_task_st *task) {
  if (gearman_task_data_size(task) == WORKLOAD_BYTES && memcmp(gearman_task_data(task), WORKLOAD, WORKLOAD_BYTES) == 0)
    verified++;
  return GEARMAN_SUCCESS;
}

static gearman_return_t created(gearman_task_st *task) {
  if (gearman_task_job_handle(task)[0] != 0) verified++;
  return GEARMAN_SUCCESS;
}

static void one_by_one(gearman_client_st *client, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    size_t size;
    gearman_return_t ret;
    char *result = gearman_client_do(client, FUNCTION, unique(i), WORKLOAD, WORKLOAD_BYTES, &size, &ret);
    if (ret != GEARMAN_SUCCESS) fail("running a job", gearman_client_error(client));
    if (size == WORKLOAD_BYTES && memcmp(result, WORKLOAD, WORKLOAD_BYTES) == 0) verified++;
    free(result);
  }
}

static void in_background_one_by_one(gearman_client_st *client, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    gearman_job_handle_t handle;
    gearman_return_t ret =
      gearman_client_do_background(client, FUNCTION, unique(i), WORKLOAD, WORKLOAD_BYTES, handle);
    if (ret != GEARMAN_SUCCESS) fail("submitting a job", gearman_client_error(client));
    verified++;
  }
}

typedef gearman_task_st *add_fn(gearman_client_st *, gearman_task_st *, void *, const char *, const char *,
                                const void *, size_t, gearman_return_t *);

static void many(gearman_client_st *client, add_fn *add, size_t from, size_t to, size_t in_flight) {
  for (size_t i = from; i < to;) {
    for (size_t added = 0; added < in_flight && i < to; added++, i++) {
      gearman_return_t ret;
      add(client, NULL, NULL, FUNCTION, unique(i), WORKLOAD, WORKLOAD_BYTES, &ret);
      if (ret != GEARMAN_SUCCESS) fail("adding a task", gearman_client_error(client));
    }
    gearman_return_t ret = gearman_client_run_tasks(client);
    if (ret != GEARMAN_SUCCESS) fail("running tasks", gearman_client_error(client));
  }
}

static void submit(gearman_client_st *client, int background, size_t from, size_t to, size_t in_flight) {
  if (in_flight > 1)
    many(client, background ? gearman_client_add_task_background : gearman_client_add_task, from, to, in_flight);
  else if (background)
    in_background_one_by_one(client, from, to);
  else
    one_by_one(client, from, to);
}

static void run_client(int background, in_port_t port, size_t jobs, size_t warm_up, size_t in_flight) {
  gearman_client_st *client = gearman_client_create(NULL);
  if (client == NULL) fail("making a client", NULL);
  if (gearman_client_add_server(client, "127.0.0.1", port) != GEARMAN_SUCCESS)
    fail("adding the server", gearman_client_error(client));
  gearman_client_add_options(client, GEARMAN_CLIENT_FREE_TASKS);
  gearman_client_set_complete_fn(client, complete);
  if (background) gearman_client_set_created_fn(client, created);
  make_uniques(warm_up + jobs);
  submit(client, background, 0, warm_up, in_flight);
  await_go();
  verified = 0;
  submit(client, background, warm_up, warm_up + jobs, in_flight);
  say_done(verified);
  await_end();
  gearman_client_free(client);
}

struct progress {
  size_t begun, warm_up, jobs;
};

static void *work(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret) {
  struct progress *progress = context;
  progress->begun++;
  if (progress->begun == progress->warm_up + 1) await_go();
  if (progress->begun == progress->warm_up + 1 + progress->jobs) say_done(progress->jobs);
  *result_size = gearman_job_workload_size(job);
  char *result = malloc(*result_size);
  if (result == NULL) {
    *ret = GEARMAN_WORK_FAIL;
    return NULL;
  }
  memcpy(result, gearman_job_workload(job), *result_size);
  *ret = GEARMAN_SUCCESS;
  return result;
}

static void run_worker(in_port_t port, size_t jobs, size_t warm_up) {
  struct progress progress = {0, warm_up, jobs};
  gearman_worker_st *worker = gearman_worker_create(NULL);
  if (worker == NULL) fail("making a worker", NULL);
  if (gearman_worker_add_server(worker, "127.0.0.1", port) != GEARMAN_SUCCESS ||
      gearman_worker_add_function(worker, FUNCTION, 0, work, &progress) != GEARMAN_SUCCESS)
    fail("making a worker", gearman_worker_error(worker));
  while (gearman_worker_work(worker) == GEARMAN_SUCCESS) {
  }
  fail("working", gearman_worker_error(worker));
}

int main(int argc, char **argv) {
  if (argc != 6) fail("usage", "libgearman ROLE PORT JOBS WARM_UP IN_FLIGHT");
  in_port_t port = (in_port_t)number(argv[2]);
  size_t jobs = number(argv[3]), warm_up = number(argv[4]), in_flight = number(argv[5]);
  if (strcmp(argv[1], "worker") == 0)
    run_worker(port, jobs, warm_up);
  else
    run_client(strcmp(argv[1], "background") == 0, port, jobs, warm_up, in_flight);
  return 0;
}
