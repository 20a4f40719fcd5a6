// SPDX-License-Identifier: GPL-3.0-or-later
#define BANDMATE_KERNEL fewRowsAvx2
#define BANDMATE_VECTOR_BYTES 32
#include "few_rows_kernel.inl"
