// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data of a request, copied between its pages and the server's memory. It is
 * always done in a context where that memory is mapped, so no page is pinned
 * and an address that is not there ends the copy where it ends.
 */
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "ublk.h"

/* Copies the first @bytes of a request; which way is known at compile time. */
static __always_inline size_t ublk_copy(struct request *rq, void __user *buffer,
					size_t bytes, bool to_server)
{
	struct req_iterator iter;
	struct bio_vec part;
	size_t copied = 0;

	rq_for_each_segment(part, rq, iter) {
		size_t length = min_t(size_t, part.bv_len, bytes - copied);
		void *data = bvec_kmap_local(&part);
		size_t left;

		if (to_server) {
			left = copy_to_user(buffer + copied, data, length);
		} else {
			left = copy_from_user(data, buffer + copied, length);
			flush_dcache_page(part.bv_page);
		}
		kunmap_local(data);
		copied += length - left;
		if (left || copied == bytes)
			break;
	}
	return copied;
}

size_t ublk_copy_to_server(struct request *rq, void __user *buffer,
			   size_t bytes)
{
	return ublk_copy(rq, buffer, bytes, true);
}

size_t ublk_copy_from_server(struct request *rq, const void __user *buffer,
			     size_t bytes)
{
	return ublk_copy(rq, (void __user *)buffer, bytes, false);
}

size_t ublk_copy_iter(struct request *rq, size_t offset, struct iov_iter *iter)
{
	struct req_iterator place;
	struct bio_vec part;
	size_t copied = 0;

	rq_for_each_segment(part, rq, place) {
		size_t length, done;

		if (offset >= part.bv_len) {
			offset -= part.bv_len;
			continue;
		}
		length = min_t(size_t, part.bv_len - offset,
			       iov_iter_count(iter));
		if (iov_iter_rw(iter) == READ)
			done = copy_page_to_iter(part.bv_page,
						 part.bv_offset + offset,
						 length, iter);
		else
			done = copy_page_from_iter(part.bv_page,
						   part.bv_offset + offset,
						   length, iter);
		copied += done;
		offset = 0;
		if (done < length || !iov_iter_count(iter))
			break;
	}
	return copied;
}
