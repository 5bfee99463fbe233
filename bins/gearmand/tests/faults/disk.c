/* A disk that fails as it is told: loaded into a server before the C library (LD_PRELOAD).
 *
 * The file that FAULTS names says what is wrong with files whose names contain "queue.db", in words:
 * "full" (they do not grow), "write" and "sync" (fail), "slow" (a sync takes two seconds). A missing or
 * empty file: nothing is wrong. It is read anew at each call, so that a test can mend the disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_wrong(int fd, const char *what)
{
	char link[64], name[PATH_MAX], words[128] = "";
	const char *faults = getenv("FAULTS");
	ssize_t len;
	int file;

	if (faults == NULL)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof name - 1);
	if (len < 0)
		return 0;
	name[len] = 0;
	if (strstr(name, "queue.db") == NULL)
		return 0;
	file = open(faults, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	len = read(file, words, sizeof words - 1);
	close(file);
	return len > 0 && strstr(words, what) != NULL;
}

static int refuse(int fd, size_t count, off64_t offset)
{
	struct stat about;

	if (is_wrong(fd, "write")) {
		errno = EIO;
		return 1;
	}
	if (is_wrong(fd, "full") && fstat(fd, &about) == 0 && offset + (off64_t)count > about.st_size) {
		errno = ENOSPC;
		return 1;
	}
	return 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
	static ssize_t (*real)(int, const void *, size_t, off64_t);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
	return refuse(fd, count, offset) ? -1 : real(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	return pwrite64(fd, bytes, count, offset);
}

static int sync_file(int fd, const char *name)
{
	int (*real)(int);

	*(void **)&real = dlsym(RTLD_NEXT, name);
	if (is_wrong(fd, "slow"))
		usleep(2000 * 1000);
	if (is_wrong(fd, "sync")) {
		errno = EIO;
		return -1;
	}
	return real(fd);
}

int fsync(int fd)
{
	return sync_file(fd, "fsync");
}

int fdatasync(int fd)
{
	return sync_file(fd, "fdatasync");
}
