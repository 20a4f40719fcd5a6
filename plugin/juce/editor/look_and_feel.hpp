// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "theme.hpp"

namespace bandmate::plugin
{

// Draws everything the editor is made of, in vectors. Lives as long as the editor.
class LookAndFeel : public juce::LookAndFeel_V4
{
public:
    LookAndFeel();
    ~LookAndFeel() override;

    void drawRotarySlider (juce::Graphics& g, int x, int y, int width, int height, float position,
                           float start_angle, float end_angle, juce::Slider& slider) override;
    void drawLinearSlider (juce::Graphics& g, int x, int y, int width, int height, float position,
                           float minimum, float maximum, juce::Slider::SliderStyle style,
                           juce::Slider& slider) override;
    int getSliderThumbRadius (juce::Slider& slider) override;
    juce::Label* createSliderTextBox (juce::Slider& slider) override;

    void drawButtonBackground (juce::Graphics& g, juce::Button& button, const juce::Colour& colour,
                               bool is_over, bool is_down) override;
    void drawButtonText (juce::Graphics& g, juce::TextButton& button, bool is_over, bool is_down) override;
    juce::Font getTextButtonFont (juce::TextButton& button, int height) override;
    void drawToggleButton (juce::Graphics& g, juce::ToggleButton& button, bool is_over,
                           bool is_down) override;

    void drawComboBox (juce::Graphics& g, int width, int height, bool is_down, int x, int y, int button_width,
                       int button_height, juce::ComboBox& box) override;
    juce::Font getComboBoxFont (juce::ComboBox& box) override;
    void positionComboBoxText (juce::ComboBox& box, juce::Label& label) override;
    juce::PopupMenu::Options getOptionsForComboBoxPopupMenu (juce::ComboBox& box,
                                                             juce::Label& label) override;
    juce::Font getPopupMenuFont() override;
    void drawPopupMenuBackground (juce::Graphics& g, int width, int height) override;

    void fillTextEditorBackground (juce::Graphics& g, int width, int height,
                                   juce::TextEditor& editor) override;
    void drawTextEditorOutline (juce::Graphics& g, int width, int height, juce::TextEditor& editor) override;

    juce::Rectangle<int> getTooltipBounds (const juce::String& tip, juce::Point<int> at,
                                           juce::Rectangle<int> area) override;
    void drawTooltip (juce::Graphics& g, const juce::String& text, int width, int height) override;

    void drawScrollbar (juce::Graphics& g, juce::ScrollBar& bar, int x, int y, int width, int height,
                        bool is_vertical, int thumb_start, int thumb_size, bool is_over,
                        bool is_down) override;

private:
    struct Fonts; // keeps the typefaces while there is an editor
    std::unique_ptr<Fonts> fonts_;
};

} // namespace bandmate::plugin
