// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "prompt_row.hpp"
#include "status_line.hpp"

#include "../processor.hpp"

#include <memory>
#include <vector>

namespace bandmate::plugin
{

// A thin face over the parameters, the session's prompts and the link's status.
class Editor : public juce::AudioProcessorEditor, private juce::Timer
{
public:
    explicit Editor (Processor& processor);
    ~Editor() override;

    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    struct Knob;
    struct Toggle;

    void timerCallback() override;
    void send_prompts();
    void show_session();

    Processor& processor_;
    std::vector<std::unique_ptr<PromptRow>> prompts_;
    std::vector<std::unique_ptr<Knob>> knobs_;
    std::vector<std::unique_ptr<Toggle>> toggles_;
    StatusLine status_;
};

} // namespace bandmate::plugin
