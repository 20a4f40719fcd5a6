// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

namespace bandmate::plugin
{

class Processor;

// One line across the editor when there is something to say: a task that runs, with its progress and a button
// that cancels it; else what is wrong and what to do; else what came of the last task.
class Notice : public juce::Component
{
public:
    explicit Notice (Processor& processor);

    // True when there is something to show.
    bool refresh();

    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    enum class Kind
    {
        nothing,
        progress,
        problem,
        result
    };

    Processor& processor_;
    Kind kind_ = Kind::nothing;
    juce::String text_;
    double share_ = 0.0;
    juce::String dismissed_; // the result or the failure of a task that the user has put away
    std::unique_ptr<juce::TextButton> cancel_;
    IconButton dismiss_{Icon::close, "Dismiss", "Puts this message away."};
    bool is_dismissible_ = false;
};

} // namespace bandmate::plugin
