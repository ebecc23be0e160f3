import { mount } from 'svelte';
import './styles/tokens.css';
import './styles/base.css';
import './styles/tooltip.css';
import App from './App.svelte';
import { connect } from './api/connect.ts';

mount(App, { target: document.body, props: { client: connect(), view: new URLSearchParams(location.search).get('view') } });
