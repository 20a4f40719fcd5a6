// SPDX-License-Identifier: GPL-3.0-or-later
#define BANDMATE_KERNELS baselineKernels
#define BANDMATE_INSTRUCTION_SET "baseline"
#define BANDMATE_VECTOR_BYTES 16
#define BANDMATE_POSITIONS 6
#include "kernels.inl"
