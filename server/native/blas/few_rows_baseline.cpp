// SPDX-License-Identifier: GPL-3.0-or-later
#define BANDMATE_KERNEL fewRowsBaseline
#define BANDMATE_VECTOR_BYTES 16
#include "few_rows_kernel.inl"
