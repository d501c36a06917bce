// SPDX-License-Identifier: GPL-2.0
/*
 * ublk info: describes a compressed image in lines `key: value`. Reads its
 * header and index, and its chunks only if it has no index; and two blocks of
 * the disk, where the hash tree of an image with one begins.
 */
#include <inttypes.h>
#include <stdio.h>

#include "commands/verb.h"
#include "image/image.h"
#include "image/verity.h"
#include "lib/build.h"
#include "lib/hex.h"
#include "lib/size.h"

struct settings {
	const char *index;
};

static const struct settings defaults = { };

static const struct option_spec options[] = {
	OPTION_OF_INDEX(struct settings),
	{ }
};

static const char *const formats[] = {
	[IMAGE_OURS] = "ublk 1",
	[IMAGE_BGZF] = "bgzf",
	[IMAGE_GZIP] = "gzip",
};

static const char manual[] =
"Prints the name of the file, its format, its sizes and the number of chunks, on\n"
"a line each. If the disk ends with a hash tree, as `ublk pack` --verity makes\n"
"it, also the size of the data before it, its salt, and the root hash. It does\n"
"not verify the contents; `ublk check` does.\n"
"\n"
"IMAGE may be on a server: nbd://HOST/EXPORT or http://HOST/PATH.\n";

static void print_size(const char *key, uint64_t size)
{
	char text[SIZE_TEXT_MAX];

	printf("%s: %" PRIu64 " (%s)\n", key, size, size_text(size, text));
}

/* The size of the image in per cent of the disk's. */
static void print_ratio(const struct image *image)
{
	uint64_t tenths = image->file_size * 1000 / image->disk_size;

	printf("ratio: %" PRIu64 ".%" PRIu64 " %%\n", tenths / 10,
	       tenths % 10);
}

static void print_verity(const struct image *image)
{
	uint8_t root[VERITY_DIGEST];
	char text[2 * VERITY_SALT_MAX + 1];
	struct verity verity;

	if (verity_of_image(image, &verity, root))
		return;
	print_size("verity data size", verity.data_blocks * VERITY_BLOCK);
	printf("verity salt: %s\n", verity.salt_size ?
	       hex_text(verity.salt, verity.salt_size, text) : "none");
	printf("verity root hash: %s\n",
	       hex_text(root, VERITY_DIGEST, text));
}

static int info_run(const void *values, int argc, char **argv)
{
	const struct settings *settings = values;
	const struct image_options how = { .index = settings->index };
	struct image image;

	(void)argc;
	if (image_open_path(&image, argv[0], &how))
		return EXIT_FAILED;
	printf("image: %s\n", argv[0]);
	printf("format: %s\n", formats[image.format]);
	print_size("disk size", image.disk_size);
	print_size("image size", image.file_size);
	if (image.disk_size)
		print_ratio(&image);
	print_size("chunk size", image.chunk_max);
	printf("chunks: %" PRIu64 "\n", image.chunks);
	if (image.format != IMAGE_BGZF)
		printf("zero chunks: %" PRIu64 "\n", image.zeroes);
	print_size("index size", image.index_size);
	print_verity(&image);
	image_close(&image);
	return EXIT_DONE;
}

const struct verb verb_info = {
	.name = "info",
	.arguments = "IMAGE",
	.summary = "describe a compressed image",
	.manual = MANUAL(manual),
	.options = options,
	.defaults = &defaults,
	.settings_size = sizeof(struct settings),
	.min_arguments = 1,
	.max_arguments = 1,
	.run = info_run,
};
