// SPDX-License-Identifier: GPL-3.0-or-later
// A live host for one built VST3, for `bandmate bench latency`:
//
//     bandmate_latency_host PLUGIN.vst3 BLOCK SECONDS SOUND [PARAMETER=VALUE...]
//
// Plays single notes in real time, writes what it hears to SOUND (interleaved float32) and prints one JSON
// object. With the audio guard preloaded it counts what blocks must not do.
#include "../tests/audio_guard/audio_guard.hpp"
#include "vst3_plugin.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

using bandmate::bench::Notes;
using bandmate::bench::Plugin;
using Clock = std::chrono::steady_clock;

namespace
{

constexpr double rate = 48000.0;
constexpr auto ready_limit = std::chrono::seconds (180);
constexpr int real_time_priority = 10;
constexpr int64_t lead_in = 48000;     // samples before the first note: caches and the model settle
constexpr int64_t note_step = 60013;   // prime: notes fall everywhere in frames and blocks
constexpr int64_t note_length = 14400; // then silence, so that the next note is heard by itself
constexpr int lowest_pitch = 55, pitches = 13;
constexpr int idle_loop_steps = 4000; // some 6 us: about a block's time

// As hosts do with their audio thread; false where the user may not.
bool go_before_others()
{
    sched_param parameters{};
    parameters.sched_priority = real_time_priority;
    return pthread_setschedparam (pthread_self(), SCHED_RR, &parameters) == 0;
}

double percentile (std::vector<float> values, double share)
{
    if (values.empty())
        return 0.0;
    std::sort (values.begin(), values.end());
    const auto place = share * static_cast<double> (values.size() - 1);
    return values[static_cast<size_t> (std::lround (place))];
}

float microseconds (Clock::duration time)
{
    return std::chrono::duration<float, std::micro> (time).count();
}

// How long arithmetic takes that touches no memory: always the same but for what the machine takes for
// itself.
float time_idle_loop()
{
    static float kept = 1.0f;
    const auto before = Clock::now();
    float value = kept;
    for (int i = 0; i < idle_loop_steps; ++i)
        value = value * 0.999f + 0.001f;
    kept = value;
    return microseconds (Clock::now() - before);
}

struct Session
{
    Plugin& plugin;
    int block;
    std::vector<float> left, right;
    Notes notes;
    Clock::time_point start = Clock::now();
    int64_t position = 0;

    Session (Plugin& plugin_, int block_)
        : plugin (plugin_), block (block_), left (static_cast<size_t> (block)), right (left)
    {
    }

    // One block at its time; returns how long the plugin took in microseconds.
    float process()
    {
        std::this_thread::sleep_until (start + std::chrono::nanoseconds (static_cast<int64_t> (
                                                   1e9 * static_cast<double> (position) / rate)));
        const auto before = Clock::now();
        plugin.process (notes, left.data(), right.data(), block);
        const auto after = Clock::now();
        position += block;
        notes.clear();
        return microseconds (after - before);
    }
};

// What a run gives.
struct Heard
{
    std::vector<float> sound; // interleaved
    std::vector<float> block_us;
    std::vector<float> machine_us; // what an idle loop took after each block
    std::vector<int64_t> starts;   // of notes, in samples of `sound`
};

Heard play (Session& session, double seconds)
{
    Heard heard;
    const auto total = static_cast<int64_t> (seconds * rate) / session.block * session.block;
    heard.sound.reserve (static_cast<size_t> (2 * total));
    heard.block_us.reserve (static_cast<size_t> (total / session.block));
    heard.machine_us.reserve (heard.block_us.capacity());
    int64_t note = lead_in;
    int count = 0;
    for (int64_t now = 0; now < total; now += session.block)
    {
        const auto pitch = lowest_pitch + count * 5 % pitches;
        if (note >= now && note < now + session.block)
        {
            session.notes.add (true, pitch, static_cast<int> (note - now));
            heard.starts.push_back (note);
        }
        const auto end = note + note_length;
        if (end >= now && end < now + session.block)
        {
            session.notes.add (false, pitch, static_cast<int> (end - now));
            note += note_step;
            ++count;
        }
        heard.block_us.push_back (session.process());
        heard.machine_us.push_back (time_idle_loop());
        for (size_t i = 0; i < session.left.size(); ++i)
        {
            heard.sound.push_back (session.left[i]);
            heard.sound.push_back (session.right[i]);
        }
    }
    return heard;
}

void write (const std::string& path, const std::vector<float>& sound)
{
    std::FILE* file = std::fopen (path.c_str(), "wb");
    if (file == nullptr || std::fwrite (sound.data(), sizeof (float), sound.size(), file) != sound.size() ||
        std::fclose (file) != 0)
        throw std::runtime_error (path + " cannot be written");
}

void run (int count, char** arguments)
{
    const int block = std::atoi (arguments[2]);
    const double seconds = std::atof (arguments[3]);
    if (block < 1 || block > 8192 || !(seconds > 2.0 && seconds < 4000.0))
        throw std::runtime_error ("BLOCK is 1 to 8192 samples, SECONDS 2 to 4000");
    Plugin plugin (arguments[1], rate, block);
    Session session (plugin, block);
    const auto limit = Clock::now() + ready_limit;
    for (int64_t n = 0; n % 100 != 0 || plugin.text_of ("Status") != "ready"; ++n)
    {
        if (Clock::now() > limit)
            throw std::runtime_error ("the plugin is not ready: " + plugin.text_of ("Status"));
        session.process();
    }
    for (int i = 4; i < count; ++i)
        if (const std::string word = arguments[i]; word.find ('=') != std::string::npos)
        {
            plugin.set (word.substr (0, word.find ('=')), std::atof (word.c_str() + word.find ('=') + 1));
            session.process();
        }
    const auto underruns = [&]
    {
        return std::atoll (plugin.text_of ("Underruns").c_str());
    };
    using Read = void (*) (bandmate_audio_guard_counts*);
    const auto read = reinterpret_cast<Read> (dlsym (RTLD_DEFAULT, "bandmate_audio_guard_read"));
    const auto reset = reinterpret_cast<void (*)()> (dlsym (RTLD_DEFAULT, "bandmate_audio_guard_reset"));
    const bool is_real_time = go_before_others();
    const auto before = underruns();
    if (reset != nullptr)
        reset();
    session.start =
        Clock::now() -
        std::chrono::nanoseconds (static_cast<int64_t> (1e9 * static_cast<double> (session.position) / rate));
    const auto heard = play (session, seconds);
    bandmate_audio_guard_counts counts{};
    if (read != nullptr)
        read (&counts);
    write (arguments[4], heard.sound);
    std::printf (
        "{\"latency_samples\": %d, \"underruns\": %lld, \"real_time\": %s, \"guarded\": %s, "
        "\"block_us\": {\"p50\": %.2f, \"p999\": %.2f}, \"machine_us\": {\"p50\": %.2f, \"p999\": %.2f}, "
        "\"blocks\": %zu, \"allocations\": %llu, "
        "\"locks\": %llu, \"system_calls\": %llu, \"starts\": [",
        plugin.latency_samples(), static_cast<long long> (underruns() - before),
        is_real_time ? "true" : "false", read != nullptr ? "true" : "false", percentile (heard.block_us, 0.5),
        percentile (heard.block_us, 0.999), percentile (heard.machine_us, 0.5),
        percentile (heard.machine_us, 0.999), heard.block_us.size(),
        static_cast<unsigned long long> (counts.allocations), static_cast<unsigned long long> (counts.locks),
        static_cast<unsigned long long> (counts.system_calls));
    for (size_t i = 0; i < heard.starts.size(); ++i)
        std::printf ("%s%lld", i == 0 ? "" : ", ", static_cast<long long> (heard.starts[i]));
    std::printf ("]}\n");
}

} // namespace

int main (int count, char** arguments)
{
    if (count < 5)
    {
        std::fprintf (stderr,
                      "usage: bandmate_latency_host PLUGIN.vst3 BLOCK SECONDS SOUND [PARAMETER=VALUE...]\n");
        return 2;
    }
    try
    {
        run (count, arguments);
        return 0;
    }
    catch (const std::exception& error)
    {
        std::fprintf (stderr, "%s\n", error.what());
        return 1;
    }
}
