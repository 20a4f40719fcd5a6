// SPDX-License-Identifier: GPL-3.0-or-later
#include "system_call_trap.hpp"

#include <atomic>
#include <csignal>
#include <cstddef>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace bandmate::guard
{

namespace
{

std::atomic<uint64_t> system_calls, waits, last_number;
std::atomic<bool> is_available{false};

} // namespace

#if defined(__x86_64__)

// System calls made from between these two labels are never trapped: the one the handler makes, and its own
// return. The kernel looks at the address after the instruction, which has to lie between them too.
extern "C"
{
    extern const char bandmate_guard_free_begin[];
    extern const char bandmate_guard_free_end[];
    long bandmate_guard_system_call (long number, long a, long b, long c, long d, long e, long f);
    void bandmate_guard_restorer();
}

// clang-format off
asm (R"(
    .text
    .global bandmate_guard_free_begin, bandmate_guard_free_end, bandmate_guard_system_call, bandmate_guard_restorer
    .hidden bandmate_guard_free_begin, bandmate_guard_free_end, bandmate_guard_system_call, bandmate_guard_restorer
    .type bandmate_guard_system_call, @function
    .type bandmate_guard_restorer, @function
bandmate_guard_free_begin:
bandmate_guard_system_call:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    ret
bandmate_guard_restorer:
    mov $15, %rax
    syscall
    ud2
bandmate_guard_free_end:
)");
// clang-format on

namespace
{

constexpr int dispatch_option = 59; // PR_SET_SYSCALL_USER_DISPATCH; older headers do not name it
constexpr int dispatch_on = 1;
constexpr unsigned char allow = 0;
constexpr unsigned char block = 1;
constexpr unsigned long sa_restorer_flag = 0x04000000;
constexpr int system_call_instruction_bytes = 2;

__thread volatile unsigned char selector __attribute__ ((tls_model ("initial-exec"))) = allow;
__thread bool is_set_up __attribute__ ((tls_model ("initial-exec"))) = false;
__thread bool waiting_is_allowed __attribute__ ((tls_model ("initial-exec"))) = false;

// As the kernel wants it: libc's own sigaction would put in its own restorer, whose return would be trapped.
struct KernelSigaction
{
    void (*handler) (int, siginfo_t*, void*);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
};

// Works on the stack it is made from, so that a handler cannot do it for the thread.
bool is_bound_to_its_place (greg_t number)
{
    return number == SYS_rt_sigreturn || number == SYS_clone || number == SYS_clone3 || number == SYS_vfork ||
           number == SYS_fork;
}

void on_trap (int, siginfo_t*, void* raw)
{
    auto& registers = static_cast<ucontext_t*> (raw)->uc_mcontext.gregs;
    const auto number = registers[REG_RAX];
    if (is_bound_to_its_place (number))
    {
        // The thread has to do it itself, and is unwatched until the next block.
        selector = allow;
        registers[REG_RIP] -= system_call_instruction_bytes;
        if (number == SYS_rt_sigreturn)
            return; // the end of a handler that was not ours
    }
    const bool is_sleep = number == SYS_clock_nanosleep || number == SYS_nanosleep;
    if (waiting_is_allowed && is_sleep)
    {
        waits.fetch_add (1, std::memory_order_relaxed);
    }
    else
    {
        system_calls.fetch_add (1, std::memory_order_relaxed);
        last_number.store (static_cast<uint64_t> (number), std::memory_order_relaxed);
    }
    if (selector == block)
        registers[REG_RAX] =
            bandmate_guard_system_call (number, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                                        registers[REG_R10], registers[REG_R8], registers[REG_R9]);
}

void set_up()
{
    is_set_up = true;
    const KernelSigaction action{on_trap, SA_SIGINFO | SA_NODEFER | sa_restorer_flag, bandmate_guard_restorer,
                                 0};
    if (::syscall (SYS_rt_sigaction, SIGSYS, &action, nullptr, sizeof action.mask) != 0)
        return;
    const auto begin = reinterpret_cast<unsigned long> (bandmate_guard_free_begin);
    const auto length = static_cast<unsigned long> (bandmate_guard_free_end - bandmate_guard_free_begin);
    if (::prctl (dispatch_option, dispatch_on, begin, length, &selector) == 0)
        is_available = true;
}

} // namespace

void watch_this_thread (bool may_wait)
{
    if (!is_set_up)
        set_up();
    waiting_is_allowed = may_wait;
    selector = block;
}

void leave_this_thread()
{
    selector = allow;
}

#else

void watch_this_thread (bool) {}
void leave_this_thread() {}

#endif

Trapped trapped()
{
    return {system_calls.load(), waits.load(), last_number.load(), is_available.load()};
}

void reset_trapped()
{
    system_calls = waits = last_number = 0;
}

} // namespace bandmate::guard
