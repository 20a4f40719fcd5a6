// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "audio_page.hpp"
#include "banks_page.hpp"
#include "header.hpp"
#include "keyboard.hpp"
#include "look_and_feel.hpp"
#include "notice.hpp"
#include "play_page.hpp"
#include "presets_page.hpp"
#include "settings_page.hpp"
#include "status_bar.hpp"

#include "../processor.hpp"

namespace bandmate::plugin
{

// The plugin's window: a design of fixed size, scaled as one to the window's. It holds no state of its own
// but the page that is shown; what it shows it reads from the processor.
class Editor : public juce::AudioProcessorEditor, public juce::DragAndDropContainer, private juce::Timer
{
public:
    enum class Page
    {
        play,
        presets,
        audio,
        banks,
        settings
    };

    explicit Editor (Processor& processor);
    ~Editor() override;

    void show_page (Page page);

    // Brings everything up to date at once; otherwise it happens some 30 times a second.
    void refresh();

    void paint (juce::Graphics& g) override;
    void resized() override;

private:
    void timerCallback() override;
    void refresh_slowly();
    void lay_out();

    Processor& processor_;
    LookAndFeel look_;
    juce::Component content_;
    Header header_;
    PlayPage play_;
    PresetsPage presets_;
    AudioPage audio_;
    BanksPage banks_;
    SettingsPage settings_;
    Notice notice_;
    Keyboard keyboard_;
    StatusBar status_;
    juce::TooltipWindow tooltips_{&content_, 600};
    Page page_ = Page::play;
    bool has_notice_ = false;
    int ticks_ = 0;
};

} // namespace bandmate::plugin
