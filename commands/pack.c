// SPDX-License-Identifier: GPL-2.0
/*
 * ublk pack: makes a compressed image of a disk. The main thread reads and
 * writes in order, and all CPUs compress. image/format.c knows the format.
 *
 * With --verity the disk is followed by a hash tree, which can only begin when
 * all of the disk has been read: this takes two runs. What is left of the disk
 * behind its last whole chunk is in a chunk with the beginning of the tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/check.h"
#include "commands/verb.h"
#include "core/same-store.h"
#include "image/disk-source.h"
#include "image/format.h"
#include "image/image.h"
#include "image/verity-tree.h"
#include "image/write.h"
#include "lib/build.h"
#include "lib/deflate.h"
#include "lib/hex.h"
#include "lib/message.h"
#include "lib/output.h"
#include "lib/parallel.h"
#include "lib/progress.h"
#include "targets/cow/source.h"

struct settings {
	uint64_t chunk;
	int64_t level;
	int64_t jobs;
	bool force;
	bool verify;
	bool verity;
	const char *salt;
	const char *cow;
};

static const struct settings defaults = {
	.chunk = IMAGE_CHUNK_BC,
	.level = 10,
};

static const struct option_spec options[] = {
	{ "chunk", 'c', OPTION_SIZE, offsetof(struct settings, chunk),
	  IMAGE_CHUNK_STEP, IMAGE_CHUNK_MAX, "SIZE",
	  "bytes of the disk per chunk (60K)" },
	{ "level", 'l', OPTION_NUMBER, offsetof(struct settings, level),
	  1, DEFLATE_LEVEL_MAX, "1-12", "compression level (10)" },
	OPTION_OF_JOBS(struct settings, "compression"),
	OPTION_OF_FORCE(struct settings, "replace a file even if it is not an image"),
	{ "verify", 0, OPTION_FLAG, offsetof(struct settings, verify),
	  0, 0, NULL, "read the image back and check it" },
	{ "verity", 0, OPTION_FLAG, offsetof(struct settings, verity),
	  0, 0, NULL, "add a hash tree, and print its root hash" },
	{ "salt", 0, OPTION_STRING, offsetof(struct settings, salt),
	  0, 0, "HEX", "salt of the hash tree (none)" },
	{ "cow", 0, OPTION_STRING, offsetof(struct settings, cow), 0, 0, "FILE",
	  "include what a device with --cow FILE wrote over IN" },
	{ }
};

static const char manual[] =
"`ublk zimg` serves the image, and any gzip program expands it. IN is a file, a\n"
"block device, a disk on a server (nbd://HOST/EXPORT or http://HOST/PATH), or `-`\n"
"for standard input. Holes in a file are not read.\n"
"\n"
"OUT is a file, or `-` for standard output. The file appears when the image is\n"
"complete. An existing file is replaced only if it is empty or an image made by\n"
"ublk. For standard output, the image is kept in $TMPDIR or /tmp until it is\n"
"complete.\n"
"\n"
"With --cow, IN is the file or image that a device was served from. OUT then\n"
"holds what that device held when it was stopped.\n"
"\n"
"A larger chunk compresses better, but makes small reads slower. The chunk size\n"
"is a multiple of 4K, and at most 1M. Up to 60K, the image is also in the block\n"
"format of bgzip (BGZF).\n"
"\n"
"With --verify, the image is read back from the medium and expanded before it\n"
"appears. Its length and CRC-32 must match what was read from IN.\n"
"\n"
"With --verity, the disk in the image is followed by a hash tree of dm-verity, as\n"
"veritysetup makes it: SHA-256, blocks of 4K. Zeroes fill the disk up to a whole\n"
"block. The root hash is printed on standard output, or with the messages if the\n"
"image goes there. The word ublk.roothash= on the kernel command line makes\n"
"`ublk init` mount nothing else. The hash tree is kept in files without a name\n"
"beside OUT until it is complete; they take 1/128 of the disk.\n";

/* A chunk while it is processed. */
struct item {
	uint8_t *data;
	uint8_t *member;
	uint8_t *digests;	/* with --verity: of its blocks */
	uint32_t length;
	uint32_t member_length;
	bool hole;
};

struct pack {
	const struct settings *settings;
	struct disk_source source;
	struct cow_source cow;	/* with --cow: on top of the source */
	struct output output;
	struct image_writer writer;
	struct progress progress;
	struct disk_sum sum;	/* with --verify: of what was read */
	uint8_t *zero_member;	/* of a whole chunk of zeroes */
	uint32_t zero_length;

	/* With --verity. */
	struct verity_tree tree;
	uint8_t root[VERITY_DIGEST];
	uint8_t *rest;		/* of the disk, which fills no chunk */
	uint32_t rest_length;
};

static bool has_bc(const struct pack *pack)
{
	return pack->settings->chunk <= IMAGE_CHUNK_BC;
}

static int pack_item_init(void *context, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;

	item->data = malloc(pack->settings->chunk);
	item->member = malloc(member_bound(pack->settings->chunk));
	if (!item->data || !item->member)
		return -ENOMEM;
	if (!pack->settings->verity)
		return 0;
	item->digests = malloc(pack->settings->chunk / VERITY_BLOCK *
			       VERITY_DIGEST);
	return item->digests ? 0 : -ENOMEM;
}

static void pack_item_free(void *memory)
{
	struct item *item = memory;

	free(item->data);
	free(item->member);
	free(item->digests);
}

static int pack_worker_init(void *context, void *worker)
{
	struct pack *pack = context;

	return deflater_init(worker, pack->settings->level);
}

static void pack_worker_free(void *worker)
{
	deflater_free(worker);
}

/* Zeroes fill it up to whole blocks. */
static void pack_keep_rest(struct pack *pack, const struct item *item,
			   uint32_t length)
{
	if (!item->hole)
		memcpy(pack->rest, item->data, length);
	pack->rest_length = (length + VERITY_BLOCK - 1) / VERITY_BLOCK *
			    VERITY_BLOCK;
}

static int pack_fetch(void *context, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;
	uint64_t chunk = pack->settings->chunk;
	ssize_t n;

	if (pack->settings->cow)
		n = cow_source_read(&pack->cow, item->data, chunk, &item->hole);
	else
		n = disk_source_read(&pack->source, item->data, chunk,
				     &item->hole);
	if (pack->settings->verity && n > 0 && (uint64_t)n < chunk) {
		pack_keep_rest(pack, item, n);
		return 0;
	}
	item->length = n;
	return n < 0 ? n : n > 0;
}

/* What is left of the disk, and then the hash tree. */
static int pack_fetch_tree(void *context, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;
	int ret = 1;

	item->hole = false;
	item->length = pack->rest_length;
	memcpy(item->data, pack->rest, pack->rest_length);
	pack->rest_length = 0;
	while (ret > 0 && item->length < pack->settings->chunk) {
		ret = verity_tree_next(&pack->tree, item->data + item->length);
		if (ret > 0)
			item->length += VERITY_BLOCK;
	}
	return ret < 0 ? ret : item->length > 0;
}

static int pack_work(void *context, void *worker, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;

	if (!item->hole)
		item->hole = image_all_zero(item->data, item->length);
	if (item->hole && item->length == pack->settings->chunk)
		return 0;
	if (item->hole)
		memset(item->data, 0, item->length);
	item->member_length = member_deflate(worker, item->data, item->length,
					     has_bc(pack), item->member);
	return 0;
}

/* As pack_work(), for a whole chunk of the disk that a hash tree follows. */
static int pack_work_hash(void *context, void *worker, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;
	uint8_t *digest = item->digests;
	int ret = pack_work(context, worker, memory);

	for (uint32_t at = 0; at < item->length; at += VERITY_BLOCK) {
		if (item->hole)
			memcpy(digest, verity_tree_zeroes(&pack->tree),
			       VERITY_DIGEST);
		else
			verity_digest(&pack->tree.verity, item->data + at,
				      digest);
		digest += VERITY_DIGEST;
	}
	return ret;
}

static int pack_finish(void *context, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;
	bool zero_member = item->hole && item->length == pack->settings->chunk;
	const uint8_t *member = zero_member ? pack->zero_member : item->member;
	uint32_t length = zero_member ? pack->zero_length :
					item->member_length;
	int ret;

	if (pack->settings->verify)
		disk_sum_add(&pack->sum, member_crc(member, length),
			     item->length);
	ret = image_writer_add(&pack->writer, member, length, item->length,
			       item->hole);
	progress_add(&pack->progress, item->length);
	if (ret) {
		progress_clear(&pack->progress);
		message_fail(ret, "%s", pack->output.name);
	}
	return ret;
}

static int pack_finish_hash(void *context, void *memory)
{
	struct pack *pack = context;
	struct item *item = memory;
	int ret = verity_tree_add(&pack->tree, item->digests,
				  item->length / VERITY_BLOCK);

	return ret ? ret : pack_finish(context, memory);
}

static const struct parallel steps = {
	.item_size = sizeof(struct item),
	.worker_size = sizeof(struct deflater),
	.item_init = pack_item_init,
	.item_free = pack_item_free,
	.worker_init = pack_worker_init,
	.worker_free = pack_worker_free,
	.fetch = pack_fetch,
	.work = pack_work,
	.finish = pack_finish,
};

/* All chunks of zeroes have the same member, so it is made once. */
static int make_zero_member(struct pack *pack)
{
	struct deflater deflater;
	uint8_t *zeroes = calloc(1, pack->settings->chunk);
	int ret = -ENOMEM;

	pack->zero_member = malloc(member_bound(pack->settings->chunk));
	if (zeroes && pack->zero_member)
		ret = deflater_init(&deflater, pack->settings->level);
	if (!ret) {
		pack->zero_length = member_deflate(&deflater, zeroes,
						   pack->settings->chunk,
						   has_bc(pack),
						   pack->zero_member);
		deflater_free(&deflater);
	}
	free(zeroes);
	return ret;
}

/* Adds what is left of the disk to the hash tree, and completes it. */
static int complete_tree(struct pack *pack)
{
	uint8_t digest[VERITY_DIGEST];
	int ret = 0;

	for (uint32_t at = 0; !ret && at < pack->rest_length;
	     at += VERITY_BLOCK) {
		verity_digest(&pack->tree.verity, pack->rest + at, digest);
		ret = verity_tree_add(&pack->tree, digest, 1);
	}
	if (!ret && !pack->tree.verity.data_blocks) {
		message("%s: empty, and no hash tree can be made of that",
			pack->source.name);
		ret = -EINVAL;
	}
	return ret ? ret : verity_tree_end(&pack->tree, pack->root);
}

/* Processes the disk and, with --verity, its hash tree. */
static int run_all(struct pack *pack)
{
	struct parallel parallel = steps;
	int ret;

	parallel.context = pack;
	parallel.jobs = pack->settings->jobs ? pack->settings->jobs :
			parallel_cpus();
	if (!pack->settings->verity)
		return parallel_run(&parallel);
	parallel.work = pack_work_hash;
	parallel.finish = pack_finish_hash;
	ret = parallel_run(&parallel);
	if (!ret)
		ret = complete_tree(pack);
	if (ret)
		return ret;
	parallel.fetch = pack_fetch_tree;
	parallel.work = pack_work;
	parallel.finish = pack_finish;
	return parallel_run(&parallel);
}

/* How many bytes the disk in the image will have; 0 if that is not known. */
static uint64_t expected_size(const struct pack *pack)
{
	uint64_t size = pack->settings->cow ? pack->cow.size :
			pack->source.size - pack->source.offset;

	if (!size || !pack->settings->verity)
		return size;
	return size + verity_tree_blocks(size / VERITY_BLOCK) * VERITY_BLOCK;
}

/* Writes the complete image to the temporary file. */
static int write_image(struct pack *pack)
{
	int ret = make_zero_member(pack);

	if (ret)
		return message_fail(ret, "%s", pack->source.name);
	image_writer_start(&pack->writer, pack->output.fd,
			   pack->settings->chunk);
	progress_start(&pack->progress, expected_size(pack));
	ret = run_all(pack);
	progress_clear(&pack->progress);
	if (ret == -ENOMEM || ret == -EAGAIN)
		return message_fail(ret, "%s", pack->source.name);
	if (ret)
		return ret;
	ret = image_writer_finish(&pack->writer);
	if (ret)
		message_fail(ret, "%s", pack->output.name);
	return ret;
}

/*
 * Replacing an image of ours is safe, because it can be made again. Other files
 * may be the only copy.
 */
static bool may_replace(const struct settings *settings, const char *path)
{
	int fd;
	bool ours;

	if (settings->force)
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	ours = image_is_ours(fd);
	close(fd);
	return ours;
}

static int pack_check_distinct(const struct pack *pack, const char *path)
{
	struct stat out;
	int ret;

	if (strcmp(path, "-") ? stat(path, &out) : fstat(STDOUT_FILENO, &out))
		return 0;
	ret = same_store_refuse(pack->source.source.fd, pack->source.name, &out,
				path);
	if (!ret && pack->settings->cow)
		ret = same_store_refuse(pack->cow.file.fd, pack->settings->cow,
					&out, path);
	return ret;
}

static int start_tree(struct pack *pack, const struct verity *verity)
{
	verity_tree_start(&pack->tree, verity, &pack->output);
	pack->rest = calloc(1, pack->settings->chunk);
	return pack->rest ? 0 : message_fail(ENOMEM, "%s", pack->source.name);
}

/* A script reads it, unless the image goes where scripts read. */
static void print_root(const struct pack *pack)
{
	char text[2 * VERITY_DIGEST + 1];

	hex_text(pack->root, VERITY_DIGEST, text);
	if (pack->output.stream)
		message("root hash: %s", text);
	else
		puts(text);
}

static int pack_to(struct pack *pack, const char *path,
		   const struct verity *verity)
{
	int ret = pack_check_distinct(pack, path);

	if (!ret)
		ret = output_create(&pack->output, path,
				    may_replace(pack->settings, path));
	if (ret)
		return ret;
	if (pack->settings->verity)
		ret = start_tree(pack, verity);
	if (!ret)
		ret = write_image(pack);
	if (!ret && pack->settings->verify)
		ret = check_written(pack->output.fd, pack->output.name,
				    pack->settings->jobs, &pack->sum);
	if (ret)
		output_abandon(&pack->output);
	else
		ret = output_commit(&pack->output);
	if (pack->settings->verity) {
		if (!ret)
			print_root(pack);
		verity_tree_free(&pack->tree);
		free(pack->rest);
	}
	free(pack->zero_member);
	image_writer_free(&pack->writer);
	return ret;
}

/* Sets the salt of a hash tree. Returns false after printing why it cannot be. */
static bool parse_salt(const struct settings *settings, struct verity *verity)
{
	size_t digits;

	if (!settings->salt)
		return true;
	if (!settings->verity) {
		message("--salt: only with --verity");
		return false;
	}
	digits = strlen(settings->salt);
	if (digits > 2 * VERITY_SALT_MAX ||
	    hex_parse(settings->salt, digits, verity->salt)) {
		message("--salt %s: not up to %u bytes in hexadecimal digits",
			settings->salt, VERITY_SALT_MAX);
		return false;
	}
	verity->salt_size = digits / 2;
	return true;
}

static int pack_run(const void *values, int argc, char **argv)
{
	struct pack pack = { .settings = values };
	struct verity verity = { };
	int ret;

	(void)argc;
	if (pack.settings->chunk % IMAGE_CHUNK_STEP) {
		message("--chunk: not a multiple of %uK",
			IMAGE_CHUNK_STEP / 1024);
		return EXIT_USAGE;
	}
	if (!parse_salt(pack.settings, &verity))
		return EXIT_USAGE;
	if (pack.settings->cow && source_is_remote(argv[0])) {
		message("%s: on a server; --cow needs the file or device that "
			"was served", argv[0]);
		return EXIT_USAGE;
	}
	if (disk_source_open(&pack.source, argv[0]))
		return EXIT_FAILED;
	ret = pack.settings->cow ? cow_source_open(&pack.cow,
						   pack.settings->cow,
						   &pack.source) : 0;
	if (!ret) {
		ret = pack_to(&pack, argv[1], &verity);
		if (pack.settings->cow)
			cow_source_close(&pack.cow);
	}
	disk_source_close(&pack.source);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

const struct verb verb_pack = {
	.name = "pack",
	.arguments = "IN OUT",
	.summary = "make a compressed image of a disk",
	.manual = MANUAL(manual),
	.options = options,
	.defaults = &defaults,
	.settings_size = sizeof(struct settings),
	.min_arguments = 2,
	.max_arguments = 2,
	.run = pack_run,
};
