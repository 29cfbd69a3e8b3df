//! The interactive face. It draws updates and turns keys into actions; it reads no kernel file and changes nothing
//! itself.

pub mod action;
mod acts;
pub mod app;
mod dispatch;
pub mod event;
mod finding;
pub mod header;
mod heap;
mod hints;
mod inspect;
pub mod keymap;
pub mod layer;
pub mod marks;
mod menus;
pub mod moment;
mod mouse;
mod pace;
mod pursue;
mod replay;
pub mod run;
pub mod screen;
pub mod settings;
pub mod terminal;
pub mod theme;
pub mod view;
pub mod widget;
