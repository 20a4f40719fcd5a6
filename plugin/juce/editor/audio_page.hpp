// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

namespace bandmate::plugin
{

class Processor;

// Sound as input: a style, or something to go on from, out of the side chain or a file.
class AudioPage : public juce::Component
{
public:
    explicit AudioPage (Processor& processor);
    ~AudioPage() override;

    void refresh();
    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    class DropZone;

    void choose_file (std::function<void (const juce::File&)> use);
    void use_as_style (const juce::File& file);
    juce::Rectangle<int> style_area() const;
    juce::Rectangle<int> continue_area() const;

    Processor& processor_;
    juce::ComboBox slot_;
    juce::Slider style_seconds_{juce::Slider::LinearHorizontal, juce::Slider::TextBoxRight};
    juce::Slider continue_seconds_{juce::Slider::LinearHorizontal, juce::Slider::TextBoxRight};
    std::unique_ptr<juce::TextButton> capture_, style_file_, continue_, continue_file_;
    std::unique_ptr<DropZone> style_zone_, continue_zone_;
    std::unique_ptr<juce::FileChooser> chooser_;
};

} // namespace bandmate::plugin
