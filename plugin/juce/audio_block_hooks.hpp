// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// Where the audio thread enters and leaves the plugin's own code, for a guard that is loaded into the host
// beside the plugin (tests/audio_guard: LD_PRELOAD) and counts what must not happen in between. The symbols
// are weak and nobody defines them in normal use: then they are null and cost one comparison.
#if defined(__linux__)
extern "C"
{
    __attribute__ ((weak, visibility ("default"))) void bandmate_audio_block_begin (int may_wait);
    __attribute__ ((weak, visibility ("default"))) void bandmate_audio_block_end (void);
}
#endif

namespace bandmate::plugin
{

class AudioBlockMark
{
public:
    // `may_wait`: the host renders offline, where waiting for frames is allowed.
    explicit AudioBlockMark ([[maybe_unused]] bool may_wait) noexcept
    {
#if defined(__linux__)
        if (bandmate_audio_block_begin != nullptr)
            bandmate_audio_block_begin (may_wait ? 1 : 0);
#endif
    }

    ~AudioBlockMark()
    {
#if defined(__linux__)
        if (bandmate_audio_block_end != nullptr)
            bandmate_audio_block_end();
#endif
    }

    AudioBlockMark (const AudioBlockMark&) = delete;
    AudioBlockMark& operator= (const AudioBlockMark&) = delete;
};

} // namespace bandmate::plugin
