// SPDX-License-Identifier: GPL-3.0-or-later
#define BANDMATE_KERNEL fewRowsAvx512
#define BANDMATE_VECTOR_BYTES 64
#include "few_rows_kernel.inl"
