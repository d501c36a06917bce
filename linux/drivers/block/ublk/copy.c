// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copies data between the pages of a request and the server's memory. The
 * caller's task has that memory mapped, so no page is pinned, and the copy
 * stops at an invalid address.
 */
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "ublk.h"

/*
 * Copies the first @bytes of a request; the direction is a compile-time
 * constant.
 *
 * The pages of a request may belong to a slab: filesystems and the device
 * mapper keep copies of blocks there. On hardened kernels, copy_to_user() and
 * copy_from_user() refuse that. So this uses the functions below them, which is
 * safe because the lengths are those of the block layer. On processors whose
 * cache can hold a page under two addresses, a page that is mapped to user
 * space is flushed before it is read, and after it was written.
 */
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
			flush_dcache_page(part.bv_page);
			left = _inline_copy_to_user(buffer + copied, data,
						    length);
		} else {
			left = _inline_copy_from_user(data, buffer + copied,
						      length);
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
		if (iov_iter_rw(iter) == READ) {
			flush_dcache_page(part.bv_page);
			done = copy_page_to_iter(part.bv_page,
						 part.bv_offset + offset,
						 length, iter);
		} else {
			done = copy_page_from_iter(part.bv_page,
						   part.bv_offset + offset,
						   length, iter);
			flush_dcache_page(part.bv_page);
		}
		copied += done;
		offset = 0;
		if (done < length || !iov_iter_count(iter))
			break;
	}
	return copied;
}

int ublk_fault_in(void __user *buffer)
{
	struct mm_struct *mm = current->mm;
	bool unlocked;
	int ret;

	ret = mmap_read_lock_killable(mm);
	if (ret)
		return ret;
	ret = fixup_user_fault(mm, (unsigned long)buffer, FAULT_FLAG_WRITE,
			       &unlocked);
	mmap_read_unlock(mm);
	return ret == -EHWPOISON ? -EFAULT : ret;
}
