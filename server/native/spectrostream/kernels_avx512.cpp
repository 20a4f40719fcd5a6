// SPDX-License-Identifier: GPL-3.0-or-later
#define BANDMATE_KERNELS avx512Kernels
#define BANDMATE_INSTRUCTION_SET "AVX-512"
#define BANDMATE_VECTOR_BYTES 64
#define BANDMATE_POSITIONS 12
#include "kernels.inl"
