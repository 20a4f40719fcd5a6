// SPDX-License-Identifier: GPL-3.0-or-later
// A live host in which the user chooses another model, a prompt and a sound file while a note is held. For
// tests with a real server:
//
//     model_change_host NEW-MODEL CLIP.wav OUT
//
// OUT becomes what was heard: float samples of the left channel. Prints "name value" lines: where in OUT what
// was done, in samples, and what came of it. Audio runs on a thread of its own, as in hosts.
#include <processor.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

using namespace bandmate;
using plugin::Processor;

namespace
{

constexpr double rate = 48000.0;
constexpr int block = 512;
constexpr auto limit = std::chrono::seconds (120);

class Host
{
public:
    Processor processor;

    Host()
    {
        processor.setRateAndBufferSizeDetails (rate, block);
        processor.prepareToPlay (rate, block);
        heard_.reserve (static_cast<size_t> (rate) * 300);
        audio_ = std::thread ([this] { run(); });
    }

    ~Host() { stop(); }

    void stop()
    {
        is_over_ = true;
        if (audio_.joinable())
            audio_.join();
    }

    int64_t now() const { return position_; }
    void play (const juce::MidiMessage& message)
    {
        const std::lock_guard lock (guard_);
        pending_.addEvent (message, 0);
    }
    const std::vector<float>& heard() const { return heard_; } // after stop()

private:
    void run()
    {
        const auto start = std::chrono::steady_clock::now();
        juce::AudioBuffer<float> buffer (2, block);
        juce::MidiBuffer midi;
        for (int64_t at = 0; !is_over_; at += block)
        {
            std::this_thread::sleep_until (start + std::chrono::microseconds (static_cast<int64_t> (
                                                       1e6 * static_cast<double> (at) / rate)));
            midi.clear();
            {
                const std::lock_guard lock (guard_);
                midi.swapWith (pending_);
            }
            {
                const juce::ScopedLock lock (processor.getCallbackLock());
                processor.processBlock (buffer, midi);
            }
            const auto* left = buffer.getReadPointer (0);
            heard_.insert (heard_.end(), left, left + block);
            position_ = at + block;
        }
    }

    std::atomic<bool> is_over_{false};
    std::atomic<int64_t> position_{0};
    std::mutex guard_;
    juce::MidiBuffer pending_;
    std::vector<float> heard_;
    std::thread audio_;
};

[[noreturn]] void fail (const std::string& what)
{
    std::fprintf (stderr, "%s\n", what.c_str());
    std::_Exit (1);
}

// What the user does, on another thread than the message thread, which is left free as in a host.
void use (Host& host, const std::string& model, const juce::File& clip)
{
    auto& processor = host.processor;
    const auto wait_until = [&] (const char* what, const std::function<bool()>& done)
    {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!done())
        {
            std::this_thread::sleep_for (std::chrono::milliseconds (5));
            if (std::chrono::steady_clock::now() > end)
                fail (std::string (what) + " did not come: " + processor.link_status().problem);
        }
    };
    const auto wait_for = [&] (double seconds)
    {
        const auto end = host.now() + static_cast<int64_t> (seconds * rate);
        wait_until ("the time", [&] { return host.now() >= end; });
    };
    const auto mark = [&] (const char* name)
    {
        std::printf ("%s %lld\n", name, static_cast<long long> (host.now()));
        std::printf ("%s_missed %d\n", name, static_cast<int> (processor.stream_figures().underruns));
    };
    const auto on_message_thread = [] (const std::function<void()>& work)
    {
        std::promise<void> done;
        juce::MessageManager::callAsync (
            [&]
            {
                work();
                done.set_value();
            });
        done.get_future().wait();
    };
    const auto is_ready = [&]
    {
        return processor.link_status().prompts_in_force;
    };
    wait_until ("the session", is_ready);
    host.play (juce::MidiMessage::noteOn (1, 60, 0.8f));
    wait_for (2.0);
    mark ("prompt");
    on_message_thread ([&] { processor.set_prompt (0, "bright strings"); });
    wait_until ("the prompt", is_ready);
    wait_for (1.0);
    mark ("file");
    bool has_begun = false;
    on_message_thread ([&] { has_begun = processor.use_prompt_audio (1, clip); });
    if (!has_begun)
        fail ("the file is not taken");
    wait_until ("the file", [&] { return !processor.task_status().is_running; });
    std::printf ("file_problem %s\n", processor.task_status().problem.c_str());
    wait_until ("its style", is_ready);
    wait_for (1.0);
    mark ("change");
    on_message_thread ([&] { processor.set_model (model); });
    wait_until ("the new model", [&] { return is_ready() && !processor.is_changing_model(); });
    mark ("changed");
    wait_for (2.0);
    mark ("end");
    std::printf ("problem %s\n", processor.link_status().problem.c_str());
    const auto* temperature = processor.parameters().getParameter ("temperature");
    std::printf ("temperature %.2f\n",
                 static_cast<double> (temperature->convertFrom0to1 (temperature->getValue())));
    std::printf ("latency %d\n", processor.getLatencySamples());
}

} // namespace

int main (int count, char** arguments)
{
    if (count != 4)
        fail ("usage: model_change_host NEW-MODEL CLIP.wav OUT");
    const juce::ScopedJuceInitialiser_GUI juce;
    Host host;
    std::thread user (
        [&]
        {
            use (host, arguments[1], juce::File (juce::String::fromUTF8 (arguments[2])));
            juce::MessageManager::getInstance()->stopDispatchLoop();
        });
    juce::MessageManager::getInstance()->runDispatchLoop();
    user.join();
    host.stop();
    std::ofstream out (arguments[3], std::ios::binary);
    out.write (reinterpret_cast<const char*> (host.heard().data()),
               static_cast<std::streamsize> (host.heard().size() * sizeof (float)));
    return out ? 0 : 1;
}
