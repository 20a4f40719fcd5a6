// SPDX-License-Identifier: GPL-3.0-or-later
#include "editor.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr int header_height = 56;
constexpr int page_height = 482;
constexpr int keyboard_height = 118;
constexpr int notice_height = 38;
constexpr int status_height = 34;
constexpr int refresh_hz = 30;
constexpr int play_every = 2; // refreshes
constexpr int slow_every = 6;
constexpr double smallest_scale = 0.7;
constexpr double largest_scale = 2.5;

} // namespace

Editor::Editor (Processor& processor)
    : AudioProcessorEditor (processor), processor_ (processor),
      header_ (processor, {"Play", "Presets", "Audio in", "Banks & takes", "Settings"}), play_ (processor),
      presets_ (processor), audio_ (processor), banks_ (processor), settings_ (processor),
      notice_ (processor), keyboard_ (processor.notes())
{
    setTitle ("Bandmate");
    content_.setComponentID ("content"); // menus open inside it
    content_.setBounds (0, 0, theme::width, theme::height);
    content_.setFocusContainerType (FocusContainerType::keyboardFocusContainer);
    addAndMakeVisible (content_);
    header_.on_page = [this] (int page)
    {
        show_page (static_cast<Page> (page));
    };
    for (auto* part : std::initializer_list<juce::Component*>{&header_, &play_, &presets_, &audio_, &banks_,
                                                              &settings_, &keyboard_, &notice_, &status_})
        content_.addChildComponent (part);
    for (auto* part : std::initializer_list<juce::Component*>{&header_, &keyboard_, &status_})
        part->setVisible (true);
    lay_out();
    show_page (Page::play);
    setLookAndFeel (&look_); // once all parts are there: it makes some of theirs anew

    const auto size = processor.editor_size(); // before the limits change it
    setResizable (true, true);
    getConstrainer()->setFixedAspectRatio (double{theme::width} / theme::height);
    setResizeLimits (
        juce::roundToInt (theme::width * smallest_scale), juce::roundToInt (theme::height * smallest_scale),
        juce::roundToInt (theme::width * largest_scale), juce::roundToInt (theme::height * largest_scale));
    setSize (size.width > 0 ? size.width : theme::width, size.width > 0 ? size.height : theme::height);
    startTimerHz (refresh_hz);
}

Editor::~Editor()
{
    setLookAndFeel (nullptr);
}

void Editor::show_page (Page page)
{
    page_ = page;
    header_.show_page (static_cast<int> (page));
    play_.setVisible (page == Page::play);
    presets_.setVisible (page == Page::presets);
    audio_.setVisible (page == Page::audio);
    banks_.setVisible (page == Page::banks);
    settings_.setVisible (page == Page::settings);
    if (page == Page::settings)
        settings_.read();
    refresh_slowly();
}

void Editor::refresh()
{
    play_.refresh_meter();
    keyboard_.follow_host();
    refresh_slowly();
}

void Editor::timerCallback()
{
    if (page_ == Page::play)
        play_.refresh_meter();
    keyboard_.follow_host();
    ++ticks_;
    if (page_ == Page::play && ticks_ % play_every == 0)
        play_.refresh();
    if (ticks_ % slow_every == 0)
        refresh_slowly();
}

void Editor::refresh_slowly()
{
    header_.refresh();
    status_.refresh (processor_);
    switch (page_)
    {
    case Page::play:
        play_.refresh();
        break;
    case Page::presets:
        presets_.refresh();
        break;
    case Page::audio:
        audio_.refresh();
        break;
    case Page::banks:
        banks_.refresh();
        break;
    case Page::settings:
        settings_.refresh();
        break;
    }
    if (const bool has_notice = notice_.refresh(); has_notice != has_notice_)
    {
        has_notice_ = has_notice;
        notice_.setVisible (has_notice);
        lay_out();
    }
}

void Editor::paint (juce::Graphics& g)
{
    g.fillAll (theme::background);
}

void Editor::resized()
{
    const auto scale = static_cast<float> (getWidth()) / static_cast<float> (theme::width);
    content_.setTransform (juce::AffineTransform::scale (scale));
    processor_.set_editor_size ({getWidth(), getHeight()});
}

void Editor::lay_out()
{
    auto area = content_.getLocalBounds();
    status_.setBounds (area.removeFromBottom (status_height));
    area = area.reduced (theme::margin, 0);
    header_.setBounds (area.removeFromTop (header_height));
    const auto page = area.removeFromTop (page_height);
    for (auto* part :
         std::initializer_list<juce::Component*>{&play_, &presets_, &audio_, &banks_, &settings_})
        part->setBounds (page);
    area.removeFromTop (theme::gap);
    auto keys = area.removeFromTop (keyboard_height);
    if (has_notice_)
    {
        notice_.setBounds (keys.removeFromTop (notice_height));
        keys.removeFromTop (8);
    }
    keyboard_.setBounds (keys);
}

} // namespace bandmate::plugin
