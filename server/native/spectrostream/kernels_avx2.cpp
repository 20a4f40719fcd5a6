// SPDX-License-Identifier: GPL-3.0-or-later
#define BANDMATE_KERNELS avx2Kernels
#define BANDMATE_INSTRUCTION_SET "AVX2"
#define BANDMATE_VECTOR_BYTES 32
#define BANDMATE_POSITIONS 6
#include "kernels.inl"
